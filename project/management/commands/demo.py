"""`manage.py demo`: the demo's accounts."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """Create the demo's accounts, or reset their passwords."""

    help = "Creates the accounts demo/demo and admin/admin (superuser). Refuses unless DEBUG is on."

    def handle(self, *_args: object, **_options: object) -> None:
        """Create or repair both accounts, and print them."""
        if not settings.DEBUG:
            raise CommandError("DEBUG is off; expected it on, since everyone knows the passwords of these accounts.")
        self.account("demo", superuser=False)
        self.account("admin", superuser=True)
        self.stdout.write("Accounts: demo / demo, and admin / admin (superuser)")

    def account(self, name: str, *, superuser: bool) -> None:
        """Create an account whose password is its name; one whose password is right already keeps its sessions."""
        user, _ = User.objects.get_or_create(username=name)
        if not user.check_password(name):
            user.set_password(name)
        user.is_active = True
        user.is_staff = user.is_superuser = superuser
        user.save()
