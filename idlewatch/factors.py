"""A user changed how they sign in: the next page offers to end their other sessions (ASVS 7.4.3)."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from idlewatch.clock import now

if TYPE_CHECKING:
    from django.contrib.sessions.backends.base import SessionBase
    from django.http import HttpRequest

CHANGED_KEY = "_idlewatch_changed"
"""Where the session's data keeps what was changed and when, until a page has shown the offer."""


class Factor(StrEnum):
    """What was changed."""

    PASSWORD = "password"  # noqa: S105
    OTHER = "other"


def offer_to_end_others(request: HttpRequest) -> None:
    """Have the next page offer the user to end their other sessions; a change of password does so by itself.

    To be called where another factor was changed: a passkey, a device for one-time codes.
    """
    note(request.session, Factor.OTHER, now())


def note(session: SessionBase, factor: Factor, at: float) -> None:
    """Note a change that was made at `at` (epoch seconds)."""
    session[CHANGED_KEY] = [factor.value, at]
