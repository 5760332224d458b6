"""A user changed how they sign in: the next page offers to end their other sessions (ASVS 7.4.3)."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from idlewatch.core.clock import now
from idlewatch.monitor import accounts, django_sessions, records

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


class Offer(NamedTuple):
    """What the next page says."""

    factor: Factor
    others: int
    """How many of the user's other sessions live."""
    ended: int
    """How many have ended for the change."""

    @property
    def is_worth_a_word(self) -> bool:
        """Whether the user has, or had, any other session."""
        return bool(self.others or self.ended)


def find(session: SessionBase, watch: str) -> Offer | None:
    """Return what to say of a change that no page has told of yet."""
    noted, user = session.get(CHANGED_KEY), django_sessions.user_of(session)
    if noted is None or user is None:
        return None
    factor, at = noted
    return Offer(Factor(factor), *records.count_others(user, watch, at))


def note_new_password(session: SessionBase, auth_digest: str, at: float) -> None:
    """Note a change of password, where that is why the session has another auth hash than it came with.

    Django gives it a new one too where the old was made under one of `SECRET_KEY_FALLBACKS`.
    """
    user = _fresh(django_sessions.user_of(session))
    if user is not None and not accounts.has_auth_digest(user, auth_digest):
        note(session, Factor.PASSWORD, at)


def _fresh(user: str | None) -> AbstractBaseUser | None:
    # That of the request may be as old as the request.
    return None if user is None else accounts.by_primary_key([user]).get(user)
