"""The offer to end the other sessions, once a user has changed how they sign in (ASVS 7.4.3)."""

from __future__ import annotations

from typing import NamedTuple

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase

from idlewatch import accounts, records, sessions
from idlewatch.factors import CHANGED_KEY, Factor, note


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
    noted, user = session.get(CHANGED_KEY), sessions.user_of(session)
    if noted is None or user is None:
        return None
    factor, at = noted
    return Offer(Factor(factor), *records.count_others(user, watch, at))


def note_new_password(session: SessionBase, auth_digest: str, at: float) -> None:
    """Note a change of password, where that is why the session has another auth hash than it came with.

    Django gives it a new one too where the old was made under one of `SECRET_KEY_FALLBACKS`.
    """
    user = _fresh(sessions.user_of(session))
    if user is not None and not accounts.vouches(user, auth_digest):
        note(session, Factor.PASSWORD, at)


def _fresh(user: str | None) -> AbstractBaseUser | None:
    # That of the request may be as old as the request.
    return None if user is None else accounts.by_primary_key([user]).get(user)
