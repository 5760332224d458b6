"""What an operator needs, beside staff status."""

from __future__ import annotations

from typing import Any

VIEW = "idlewatch.view_watchedsession"
"""To watch, to read the records, and to see the metrics."""
END = "idlewatch.end_watchedsession"
"""To end sessions and send notices as well."""


def may_watch(user: Any) -> bool:  # noqa: ANN401 - a host's own, nobody (None), or Django's `AnonymousUser`
    """Tell whether an account may see who is there; one of a model without permissions may not."""
    if not getattr(user, "is_active", False) or not getattr(user, "is_staff", False):
        return False
    return bool(getattr(user, "has_perm", lambda _: False)(VIEW))
