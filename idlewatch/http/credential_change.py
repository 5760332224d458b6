"""After a change of password or second factor, the next page offers to end the other sessions (ASVS 7.4.3)."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from idlewatch.monitor import accounts, django_sessions, records
from idlewatch.process import now

CHANGED_KEY = "_idlewatch_changed"
"""Key in the session's data of what was changed and when, until a page has shown the offer."""


class Factor(StrEnum):
    """What was changed."""

    PASSWORD = "password"  # noqa: S105
    OTHER = "other"


def offer_to_end_others(request: HttpRequest) -> None:
    """Offer to end the user's other sessions on their next page.

    Call it after a change of another factor than the password, such as a passkey or a device for one-time codes. A
    change of password is detected without it.
    """
    record_change(request.session, Factor.OTHER, now())


def record_change(session: SessionBase, factor: Factor, at: float) -> None:
    """Record a change, made at `at` (epoch seconds), in the session's data."""
    session[CHANGED_KEY] = [factor.value, at]


class Offer(NamedTuple):
    """The offer to end the other sessions."""

    factor: Factor
    others: int
    """Number of the user's other live sessions."""
    ended: int
    """Number of those that the change has ended."""

    @property
    def has_other_sessions(self) -> bool:
        """Whether the user has, or had, any other session."""
        return bool(self.others or self.ended)


def find_offer(session: SessionBase, watch_id: str) -> Offer | None:
    """Return the offer after a change; None if there was none, or a page has shown it."""
    change = session.get(CHANGED_KEY)
    user = None if change is None else django_sessions.user_of(session)
    if change is None or user is None:
        return None
    factor, at = change
    return Offer(Factor(factor), *records.count_others(user, watch_id, at))


def record_new_password(session: SessionBase, auth_digest: str, at: float) -> None:
    """Record a change of password, if that is why the session no longer has the auth hash with this digest.

    Django also replaces a hash that was made under one of `SECRET_KEY_FALLBACKS`.
    """
    user = _load_user(django_sessions.user_of(session))
    if user is not None and not accounts.has_auth_digest(user, auth_digest):
        record_change(session, Factor.PASSWORD, at)


def _load_user(user: str | None) -> AbstractBaseUser | None:
    # The user on the request may be outdated.
    return None if user is None else accounts.by_primary_key([user]).get(user)
