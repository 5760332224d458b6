"""Impersonation: an operator acts as another user, which packages for it note in the session's data."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

from django.apps import apps
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.core import signing
from django.core.signals import setting_changed

IMPERSONATOR_KEY = "_idlewatch_impersonator"
"""Key in the session's data of the operator's primary key, where the project signs operators in as users by itself."""


class Actors(NamedTuple):
    """The people behind a session, by their primary keys as strings."""

    user: str
    """Whose account is used."""
    operator: str
    """Who signed in: the same person, unless an operator acts as the user."""

    @property
    def is_impersonated(self) -> bool:
        """Whether an operator acts as the user."""
        return self.user != self.operator


def actors_of(session: SessionBase | Mapping[str, Any]) -> Actors | None:
    """Return who is behind a session, which may be given by its data; None if no user is signed in."""
    signed_in = session.get(SESSION_KEY)
    if signed_in is None:
        return None
    if session.keys().isdisjoint(_notes()):
        # Nearly all sessions.
        user = str(signed_in)
        return Actors(user, user)
    if (user := _note_of(session, "impersonate", "_impersonate")) is not None:
        # django-impersonate leaves the operator signed in, and replaces the user of each request.
        return Actors(str(user), str(signed_in))
    operator = _operator_of(session)
    return Actors(str(signed_in), str(signed_in) if operator is None else operator)


def acts_alone(session: Mapping[str, Any], user: str) -> bool:
    """Return whether `user` is signed in by a session's data, in which no impersonation is noted."""
    signed_in = session.get(SESSION_KEY)
    return signed_in is not None and str(signed_in) == user and session.keys().isdisjoint(_notes())


def is_impersonated(session: SessionBase) -> bool:
    """Return whether an operator acts as the user of a session."""
    actors = actors_of(session)
    return actors is not None and actors.is_impersonated


def keep_operator(session: SessionBase, user: str, operator: str) -> Actors:
    """Store who signed in, where a package only notes the last of a chain of impersonations; return the actors."""
    actors = actors_of(session)
    if actors != (user, operator):
        session[IMPERSONATOR_KEY] = operator
    return Actors(user, operator)


def _operator_of(session: SessionBase | Mapping[str, Any]) -> str | None:
    """Return who signed in, as a note in the session's data says; None if there is none."""
    operator: str | None = session.get(IMPERSONATOR_KEY)
    if operator is not None:
        return operator
    # The chain of impersonations: the first of them signed in.
    if history := _note_of(session, "hijack", "hijack_history"):
        return str(history[0])
    if note := _note_of(session, "loginas", _loginas_key()):
        with suppress(signing.BadSignature):
            return signing.TimestampSigner().unsign(str(note))
    # Pairs of a user and a backend.
    if history := _note_of(session, "django_su", "exit_users_pk"):
        return str(history[0][0])
    return None


@cache
def _notes() -> frozenset[str]:
    """Return the keys under which a session's data may have a note of an impersonation."""
    return frozenset({"_impersonate", IMPERSONATOR_KEY, "hijack_history", _loginas_key(), "exit_users_pk"})


@cache
def _loginas_key() -> str:
    # Reading a setting that the project does not have takes longer than everything else here.
    return getattr(settings, "LOGINAS_FROM_USER_SESSION_FLAG", "loginas_from_user")


def _forget(*, setting: str, **_: object) -> None:
    if setting == "LOGINAS_FROM_USER_SESSION_FLAG":
        _loginas_key.cache_clear()
        _notes.cache_clear()


setting_changed.connect(_forget, dispatch_uid="idlewatch.monitor.impersonation")


def _note_of(session: SessionBase | Mapping[str, Any], app: str, key: str) -> Any:  # noqa: ANN401 - each package has its own
    """Return what the app of a package noted in a session's data; None if it noted nothing, or is not installed."""
    note = session.get(key)
    # To ask for an app goes through all apps, and hardly any session has a note.
    return note if note is not None and apps.is_installed(app) else None
