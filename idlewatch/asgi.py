"""The ASGI entry point: starts what a process needs, once, and serves the sockets of idlewatch beside your application.

In a project's `asgi.py`::

    application = watched(get_asgi_application())
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from idlewatch.core.protocol import Close
from idlewatch.runtime import daphne, hypercorn, lifespan

if TYPE_CHECKING:
    from idlewatch.process import Process
    from idlewatch.runtime.runtime import Runtime

logger = logging.getLogger("idlewatch")

Application = Callable[[Any, Any, Any], Awaitable[Any]]
"""An ASGI 3 application; those of Django and of channels have types of their own for what it is called with."""

SOCKET_PREFIX = "/ws/idlewatch/"
"""The paths that the sockets of idlewatch have in common."""
SHUTDOWN_TIMEOUT = 5.0
"""Seconds that a process takes, at most, to close its tabs and record how far its sessions came."""
DRAIN_TIMEOUT = 2.0
"""Seconds that it waits, at most, for the responses in progress."""
FLUSH_PAUSE = 0.1
"""Seconds in which a request that was accepted reaches the application, and an answer the network."""
CANCEL_TIMEOUT = 1.0
"""Seconds that it waits, at most, for what it cancelled."""


class WatchedApplication:
    """An ASGI application whose sessions are watched."""

    wrapped = False
    """Whether this process has one: a system check asks."""

    def __init__(self, application: Application, process: Process | None = None) -> None:
        self._application = application
        self._own_process = process
        self._serving: set[asyncio.Task[Any]] = set()
        self._answering: set[asyncio.Task[Any]] = set()
        self._is_stop_checked = False
        """Whether the server speaks `lifespan`, or it was logged that it does not."""
        type(self).wrapped = True
        daphne.let_closes_be_answered()
        daphne.before_shutdown(self._stop)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401
        """Serve a scope: a socket of idlewatch here, anything else by the wrapped application."""
        process = self._process
        process.is_served = True
        with process.entered():
            # Daphne sends no lifespan events: the first scope, of whatever kind, starts what runs beside the requests.
            runtime = _runtime_of(process)
            runtime.start()
            if scope["type"] == "lifespan":
                self._is_stop_checked = True
                hypercorn.warn_of_endless_stop(asyncio.get_running_loop())
                await lifespan.speak(self._application, scope, receive, send, self._stop_runtime)
                return
            self._warn_of_unannounced_stop()
            server = self._server_of(scope, going=runtime.hub.dismissed)
            if server is not self._application:
                scope.setdefault("scheme", daphne.socket_scheme(send))
            task = asyncio.current_task()
            assert task is not None, "a coroutine runs in a task"  # noqa: S101
            self._serving.add(task)
            if scope["type"] == "http":
                self._answering.add(task)
            try:
                await server(scope, receive, send)
            finally:
                self._serving.discard(task)
                self._answering.discard(task)

    @property
    def _process(self) -> Process:
        from idlewatch.process import current_process  # noqa: PLC0415 - Django has to be ready

        # Not before a call: a server may fork after the import.
        return self._own_process or current_process()

    def _server_of(self, scope: MutableMapping[str, Any], *, going: bool) -> Application:
        if scope["type"] != "websocket":
            return self._application
        head, prefix, tail = _path_info(scope).partition(SOCKET_PREFIX)
        path = prefix + tail
        if not prefix or (head and path not in self._sockets):
            return self._application
        if head:
            # The wrapped application has Django below a path, and so have the URLs that its pages get.
            scope["root_path"] = f"{scope.get('root_path') or ''}{head}"
        return _send_back if going else self._sockets.get(path, _refuse)

    @cached_property
    def _sockets(self) -> Mapping[str, Application]:
        from idlewatch.routing import sockets  # noqa: PLC0415 - the apps have to be ready

        return sockets

    async def _stop(self) -> None:
        """Stop under Daphne, which waits for this and then ends its applications without a word."""
        try:
            # In this very task: Daphne cancels its applications next, and a tab that is gone could not be sent away.
            await self._stop_runtime()
        finally:
            await self._drain()
            await self._end_all()

    async def _stop_runtime(self) -> None:
        process = self._process
        async with process.clock.timeout(SHUTDOWN_TIMEOUT):
            with process.entered():
                await _runtime_of(process).stop()

    def _warn_of_unannounced_stop(self) -> None:
        """Log, once, that the server will not announce its stop."""
        if self._is_stop_checked:
            return
        from idlewatch.conf.declaration import DOCUMENTATION  # noqa: PLC0415 - Django has to be ready
        from idlewatch.process import in_tests  # noqa: PLC0415 - as above

        self._is_stop_checked = True
        # Tests have no server.
        if not (daphne.is_running() or in_tests()):
            logger.warning(
                "The server's start and stop do not reach idlewatch.asgi.watched: a stop loses some activity. Leave "
                "the server's lifespan protocol on, and make `watched` the outermost wrapper, around any router or "
                "mount. See %s",
                f"{DOCUMENTATION}/deployment.md#other-servers",
            )

    async def _drain(self) -> None:
        """Let the responses in progress finish, and leave."""
        clock = self._process.clock
        with suppress(TimeoutError):
            async with clock.timeout(DRAIN_TIMEOUT):
                await clock.sleep(FLUSH_PAUSE)
                while self._answering:
                    await asyncio.wait(set(self._answering))
                    await clock.sleep(FLUSH_PAUSE)

    async def _end_all(self) -> None:
        """Cancel what is still being served, as Daphne means to.

        It fails to within a second of a handshake, and CPython 3.11 crashes on tasks that are left to its end.
        """
        left = set(self._serving)
        for task in left:
            task.cancel()
        if left:
            with suppress(TimeoutError):
                async with self._process.clock.timeout(CANCEL_TIMEOUT):
                    await asyncio.wait(left)


def _runtime_of(process: Process) -> Runtime:
    from idlewatch.runtime.runtime import runtime_of  # noqa: PLC0415 - the apps have to be ready

    return runtime_of(process)


def _path_info(scope: Mapping[str, Any]) -> str:
    """Return the path of a scope below the script name, as Django does; a proxy may have cut that off."""
    from django.core.handlers.asgi import get_script_prefix  # noqa: PLC0415 - Django has to be ready

    return str(scope["path"]).removeprefix(get_script_prefix(scope).removesuffix("/"))


async def _refuse(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - as ASGI has it
    """Refuse a socket at an unknown path: Django, which serves none, would log a traceback for each."""
    await receive()
    await send({"type": "websocket.close"})


async def _send_back(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - as ASGI has it
    """Close a tab that connects while the server shuts down, without a look at its session."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": int(Close.GOING_AWAY)})


def watched(application: Application, process: Process | None = None) -> WatchedApplication:
    """Watch the sessions of an ASGI application.

    It serves the sockets below `/ws/idlewatch/` itself and passes everything else on. `process`: another than the one
    of this interpreter, where several are served by one.
    """
    return WatchedApplication(application, process)


def is_watched() -> bool:
    """Return whether an application of this process was wrapped with `watched`."""
    return WatchedApplication.wrapped
