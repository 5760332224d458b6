"""The client of a request or a socket: its address and its browser."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from idlewatch.conf import conf

ADDRESS_LENGTH = 64
USER_AGENT_LENGTH = 512


def address_of(request: HttpRequest) -> str:
    """Return the address of a request, as `CLIENT_IP` returns it, or the peer's by default; empty if it has none."""
    asked = conf.client_ip
    address = request.META.get("REMOTE_ADDR") if asked is None else asked(request)
    return _clean(address)[:ADDRESS_LENGTH]


def user_agent_of(request: HttpRequest) -> str:
    """Return the user agent, cut to what a record stores."""
    return _clean(request.headers.get("User-Agent"))[:USER_AGENT_LENGTH]


def _clean(text: Any) -> str:  # noqa: ANN401 - a project's callable may return anything
    # PostgreSQL stores no NUL.
    return "" if text is None else str(text).replace("\x00", "")
