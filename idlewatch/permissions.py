"""Permissions of operators, who must be staff as well."""

from __future__ import annotations

from typing import Any

VIEW = "idlewatch.view_watchedsession"
"""View the live page, the session history and the metrics."""
END = "idlewatch.end_watchedsession"
"""End sessions and send messages."""


def may_watch(user: Any) -> bool:  # noqa: ANN401 - a project's user model, `AnonymousUser`, or None
    """Return whether a user may view live sessions; a user model without permissions grants none."""
    if not getattr(user, "is_active", False) or not getattr(user, "is_staff", False):
        return False
    return bool(getattr(user, "has_perm", lambda _: False)(VIEW))
