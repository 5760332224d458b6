"""The arguments and results of a project's callables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import Promise

from idlewatch.core.activity import Reason
from idlewatch.core.protocol import StateFrame


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a session, as `ENDED_RESPONSE` is given it."""

    reason: Reason
    notice: str | Promise
    """The sentence to show."""
    login_url: str
    """Where to sign in again, with `next`."""
    frame: StateFrame
    """What pages receive over the socket."""


EndedResponse: TypeAlias = Callable[[HttpRequest, Ended], HttpResponseBase | None]
"""`ENDED_RESPONSE`: what to answer after an end; None: the usual response."""
PolicyCallable: TypeAlias = Callable[[Any, HttpRequest], Mapping[str, object] | None]
"""`POLICY`: limits for a user who signs in with this request, by their keys; None: those of the settings."""

ClientIP: TypeAlias = Callable[[Any], str | None]
"""`CLIENT_IP`: the client's address, from an `HttpRequest` or an ASGI scope; None: it is unknown."""


class Reauthentication(Protocol):
    """`REAUTHENTICATE`: where users reauthenticate, and when they last did."""

    def proved_at(self, request: HttpRequest) -> datetime | None:
        """Return when the user of this session last did; None: not in this session."""

    def url(self, request: HttpRequest, next: str) -> str | None:  # noqa: A002 - as Django's parameter
        """Return the URL where this user does so, and is then redirected to `next`; None: there is none."""
