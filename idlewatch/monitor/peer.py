"""The client of a request or a socket: its address and its browser."""

from __future__ import annotations

import logging
from threading import Lock
from typing import Any

from django.http import HttpRequest

from idlewatch.conf import conf
from idlewatch.conf.declaration import DOCUMENTATION, place
from idlewatch.process import Process, current_process

logger = logging.getLogger("idlewatch")

ADDRESS_LENGTH = 64
USER_AGENT_LENGTH = 512
FORWARDING_HEADERS = ("X-Forwarded-For", "Forwarded", "X-Real-IP")
MIN_USERS = 20
"""Users who all signed in from one address, from which on it is likely to be a proxy's."""
HINT = f"{DOCUMENTATION}/settings.md#client_ip"


def address_of(request: HttpRequest) -> str:
    """Return the address of a request, as `CLIENT_IP` returns it, or the peer's by default; empty if it has none."""
    asked = conf.client_ip
    address = request.META.get("REMOTE_ADDR") if asked is None else asked(request)
    return _clean(address)[:ADDRESS_LENGTH]


def sign_in_address_of(request: HttpRequest, user: str) -> str:
    """Return the address from which a user signs in, and log it if it looks like that of a proxy."""
    address = address_of(request)
    current_process().part(ProxyWatch).note(request, address, user)
    return address


def user_agent_of(request: HttpRequest) -> str:
    """Return the user agent, cut to what a record stores."""
    return _clean(request.headers.get("User-Agent"))[:USER_AGENT_LENGTH]


class ProxyWatch:
    """Logs, once in a process, that the addresses of sign-ins are those of a proxy. Thread-safe."""

    def __init__(self, _process: Process) -> None:
        self._lock = Lock()
        self._is_done = False
        self._address: str | None = None
        self._users: set[str] = set()

    def note(self, request: HttpRequest, address: str, user: str) -> None:
        """Check one sign-in, and log the first that looks like a proxy's."""
        with self._lock:
            why = None if self._is_done else self._suspicion(request, address, user)
            self._is_done |= why is not None
        if why is not None:
            logger.warning("%s If that is your proxy's, set %s: %s", why, place("CLIENT_IP"), HINT)

    def _suspicion(self, request: HttpRequest, address: str, user: str) -> str | None:
        for name in FORWARDING_HEADERS:
            value = request.headers.get(name)
            # A server that goes by such headers itself has put the user's address in the place of the peer's.
            if value and conf.client_ip is None and (not address or address not in value):
                return f"The recorded address of a sign-in is {address or 'empty'}, and its {name} has another."
        if self._address is None:
            self._address = address
        if address != self._address:
            # Users come from different addresses, as they should.
            self._is_done = True
            self._users.clear()
            return None
        self._users.add(user)
        if len(self._users) < MIN_USERS:
            return None
        return f"{MIN_USERS} users signed in, all from the address {address or '(empty)'}."


def _clean(text: Any) -> str:  # noqa: ANN401 - a project's callable may return anything
    # PostgreSQL stores no NUL.
    return "" if text is None else str(text).replace("\x00", "")
