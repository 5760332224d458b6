"""The hooks into Daphne that close tabs in order when it stops; without Daphne there is nothing to do."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

CLOSE_TIMEOUT = 5
"""Seconds in which a page answers a close, before its connection is cut. By itself Daphne leaves it 1, and autobahn
takes off up to a second, so that one close in many would be cut before it left."""


def is_running() -> bool:
    """Return whether Daphne serves this process."""
    reactor = _reactor()
    return bool(getattr(reactor, "running", False))


def before_shutdown(stop: Callable[[], Awaitable[None]]) -> None:
    """Have Daphne wait for `stop` before it goes: on SIGTERM it ends its applications without a word."""
    reactor = _reactor()
    if reactor is None:
        return
    from twisted.internet.defer import Deferred  # noqa: PLC0415 - only under Daphne

    def go() -> Deferred[None]:
        for port in _ports(reactor):
            # A proxy asks another process then.
            port.stopListening()
        return Deferred.fromFuture(asyncio.ensure_future(stop()))

    reactor.addSystemEventTrigger("before", "shutdown", go)


def let_closes_be_answered() -> None:
    """Have every socket closed as slowly as its client answers, `CLOSE_TIMEOUT` at most."""
    reactor = _reactor()
    if reactor is not None:
        # Daphne makes its factories, and listens, between now and then.
        reactor.callWhenRunning(lambda: _set_protocol_options(reactor))


def socket_scheme(send: Any) -> str:  # noqa: ANN401 - as ASGI has it
    """Return the scheme of a socket, which Daphne leaves out of its scope, as it tells that of a request.

    `send`: the one of the socket. With `--proxy-headers` the proxy names the scheme; else Daphne itself may serve TLS.
    """
    protocol = next(iter(getattr(send, "args", ())), None)
    scheme = getattr(protocol, "client_scheme", None) or ("https" if _is_secure(protocol) else "http")
    return "wss" if scheme == "https" else "ws"


def _is_secure(protocol: Any) -> bool:  # noqa: ANN401
    transport = getattr(protocol, "transport", None)
    if transport is None:
        return False
    from twisted.internet.interfaces import ISSLTransport  # noqa: PLC0415 - only under Daphne

    return bool(ISSLTransport.providedBy(transport))


def _set_protocol_options(reactor: Any) -> None:  # noqa: ANN401 - Twisted's reactor is a module
    for port in _ports(reactor):
        # That of a TLS endpoint stands around the one of HTTP.
        factory = getattr(port.factory, "wrappedFactory", port.factory)
        sockets = getattr(getattr(factory, "server", None), "ws_factory", None)
        if sockets is not None:
            # Of all options this one alone is reset where it is not named.
            same = {"allowNullOrigin": sockets.allowNullOrigin}
            sockets.setProtocolOptions(closeHandshakeTimeout=CLOSE_TIMEOUT, **same)


def _reactor() -> Any:  # noqa: ANN401
    return sys.modules.get("twisted.internet.reactor")


def _ports(reactor: Any) -> Iterator[Any]:  # noqa: ANN401
    from twisted.internet.interfaces import IListeningPort  # noqa: PLC0415 - only under Daphne

    for reader in reactor.getReaders():
        if IListeningPort.providedBy(reader):
            yield reader
