"""The ASGI face: starts what a process needs, once, and takes the sockets of idlewatch out of the host's application.

In a project's `asgi.py`::

    application = watched(get_asgi_application())
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import cached_property
from typing import Any

Application = Callable[[Any, Any, Any], Awaitable[Any]]
"""An ASGI 3 application; those of Django and of channels have types of their own for what it is called with."""

GOODBYE = 5.0
"""Seconds that a process takes, at most, to send its tabs away and write down how far its sessions came."""


class WatchedApplication:
    """An ASGI application whose sessions are watched."""

    wrapped = False
    """Whether this process has one: a system check asks."""

    def __init__(self, application: Application) -> None:
        self._application = application
        type(self).wrapped = True
        _before_shutdown(self._stop)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401
        """Serve a scope: a socket of idlewatch here, anything else by the host's application."""
        # Daphne sends no lifespan events: the first scope, of whatever kind, starts what runs beside the requests.
        from idlewatch.service import service  # noqa: PLC0415 - the apps have to be ready

        service().start()
        consumer = self._sockets.get(scope["path"]) if scope["type"] == "websocket" else None
        await (consumer or self._application)(scope, receive, send)

    @cached_property
    def _sockets(self) -> Mapping[str, Application]:
        from idlewatch.routing import sockets  # noqa: PLC0415 - the apps have to be ready

        return sockets

    async def _stop(self) -> None:
        from idlewatch.service import service  # noqa: PLC0415 - the apps have to be ready

        await asyncio.wait_for(service().stop(), GOODBYE)


def watched(application: Application) -> WatchedApplication:
    """Watch the sessions of an ASGI application.

    It serves the sockets below `/ws/idlewatch/` itself and passes everything else on.
    """
    return WatchedApplication(application)


def is_watched() -> bool:
    """Tell whether an application of this process was wrapped with `watched`."""
    return WatchedApplication.wrapped


def _before_shutdown(stop: Callable[[], Awaitable[None]]) -> None:
    """Have Daphne wait for `stop` before it goes: on SIGTERM it ends its applications without a word."""
    reactor = sys.modules.get("twisted.internet.reactor")
    if reactor is None:
        return
    from twisted.internet.defer import Deferred  # noqa: PLC0415 - only under Daphne

    reactor.addSystemEventTrigger("before", "shutdown", lambda: Deferred.fromFuture(asyncio.ensure_future(stop())))
