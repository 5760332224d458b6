"""Impersonation: an operator acts as another user, which packages for it note in the session's data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from django.apps import apps
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.core import signing

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


def actors_of(session: SessionBase) -> Actors | None:
    """Return who is behind a session; None if no user is signed in."""
    signed_in = session.get(SESSION_KEY)
    if signed_in is None:
        return None
    if apps.is_installed("impersonate") and (user := session.get("_impersonate")) is not None:
        # django-impersonate leaves the operator signed in, and replaces the user of each request.
        return Actors(str(user), str(signed_in))
    for app, read in READERS.items():
        if (app is None or apps.is_installed(app)) and (operator := read(session)) is not None:
            return Actors(str(signed_in), operator)
    return Actors(str(signed_in), str(signed_in))


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


def _own(session: SessionBase) -> str | None:
    return session.get(IMPERSONATOR_KEY)


def _hijack(session: SessionBase) -> str | None:
    # The chain of impersonations: the first of them signed in.
    history = session.get("hijack_history")
    return str(history[0]) if history else None


def _su(session: SessionBase) -> str | None:
    # Pairs of a user and a backend.
    history = session.get("exit_users_pk")
    return str(history[0][0]) if history else None


def _loginas(session: SessionBase) -> str | None:
    note = session.get(getattr(settings, "LOGINAS_FROM_USER_SESSION_FLAG", "loginas_from_user"), "")
    try:
        return signing.TimestampSigner().unsign(str(note))
    except signing.BadSignature:
        return None


READERS: Mapping[str | None, Callable[[SessionBase], str | None]] = {
    None: _own,
    "hijack": _hijack,
    "loginas": _loginas,
    "django_su": _su,
}
"""By the app of a package: a function that returns the operator whom it noted in a session's data, if any."""
