"""The WSGI face: runs the timer in a thread of its own, since a WSGI server has no event loop.

In a project's `wsgi.py`::

    application = watched(get_wsgi_application())
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from threading import Lock, Thread
from typing import Any

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class WatchedApplication:
    """A WSGI application whose sessions are watched."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._lock = Lock()
        self._thread: Thread | None = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401 - as WSGI has it
        """Answer a request; the first one starts the timer, in the process that a server may have forked."""
        with self._lock:
            if self._thread is None:
                self._thread = Thread(target=_run_timer, name="idlewatch-timer", daemon=True)
                self._thread.start()
        return self._application(environ, start_response)


def watched(application: Application) -> WatchedApplication:
    """Watch the sessions of a WSGI application: over HTTP alone, without sockets."""
    return WatchedApplication(application)


def _run_timer() -> None:
    from idlewatch.service import service  # noqa: PLC0415 - the apps have to be ready

    async def run() -> None:
        service().start()
        await service().wait()

    asyncio.run(run())
