"""Operators for the tests of the admin."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client


def staff(*permissions: str, client: type[Any] = Client, **fields: bool) -> Any:
    """Sign in `op`, a member of the staff with these permissions; return the browser."""
    user, _ = User.objects.get_or_create(username="op", defaults={"is_staff": True, **fields})
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    browser = client()
    browser.force_login(user)
    return browser
