"""The WSGI entry point: runs the timer in a thread of its own, since a WSGI server has no event loop.

In a project's `wsgi.py`::

    application = watched(get_wsgi_application())
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from threading import Event, Thread
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from idlewatch.runtime.greenlets import separate_event_loops

if TYPE_CHECKING:
    from idlewatch.process import Process


Application = Callable[[dict[str, Any], Any], Iterable[bytes]]

SHUTDOWN_TIMEOUT = 5.0
"""Seconds that the timer takes, at most, to record how far the sessions came."""
FORK_TIMEOUT = 5.0
"""Seconds that a fork waits, at most, for the timer's thread to pause."""


class WatchedApplication:
    """A WSGI application whose sessions are watched."""

    def __init__(self, application: Application, process: Process | None = None) -> None:
        self._application = application
        self._own_process = process

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401 - as WSGI has it
        """Answer a request; the first one starts the timer, in the process that a server may have forked."""
        current = _current_process()()
        process = self._own_process or current
        process.is_served = True
        process.part(_start_timer)
        if process is current:
            # Nearly always: one for the interpreter.
            return self._application(environ, start_response)
        with process.entered():
            return self._application(environ, start_response)

    def stop(self) -> None:
        """Stop the timer, once it has recorded how far every session came."""
        process = self._own_process or _current_process()()
        process.discard(_start_timer)


@cache
def _current_process() -> Callable[[], Process]:
    from idlewatch.process import current_process  # noqa: PLC0415 - Django has to be ready

    return current_process


def watched(application: Application, process: Process | None = None) -> WatchedApplication:
    """Watch the sessions of a WSGI application: over HTTP alone, without sockets.

    `process`: the process to serve, if several live in one interpreter; by default the current one.
    """
    wrapped = WatchedApplication(application, process)
    # What is registered with `atexit` comes too late: by then no executor takes work any more, the database's neither.
    threading._register_atexit(wrapped.stop)  # type: ignore[attr-defined]
    return wrapped


def _start_timer(process: Process) -> _TimerThread:
    separate_event_loops()
    timer = _TimerThread(process)
    timer.start()
    return timer


class _TimerThread(Thread):
    """An event loop with the timer on it."""

    def __init__(self, process: Process) -> None:
        super().__init__(name="idlewatch-timer", daemon=True)
        self._process = process
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self._forked = Event()
        _timers.add(self)

    def run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    def close(self) -> None:
        # The loop is closed if the timer failed.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stopped.set)
        self.join(SHUTDOWN_TIMEOUT)

    def pause_for_fork(self) -> None:
        """Pause the thread: in a fork, a module that it is importing would stay half-imported."""
        paused = Event()
        self._forked.clear()
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._pause, paused)
            paused.wait(FORK_TIMEOUT)

    def resume(self) -> None:
        self._forked.set()

    def _pause(self, paused: Event) -> None:
        paused.set()
        self._forked.wait(FORK_TIMEOUT)

    async def _serve(self) -> None:
        from idlewatch.runtime.runtime import runtime_of  # noqa: PLC0415 - the apps have to be ready

        with self._process.entered():
            runtime = runtime_of(self._process)
            runtime.start()
            await self._stopped.wait()
            await runtime.stop()


_timers: WeakSet[_TimerThread] = WeakSet()


def _before_fork() -> None:
    for timer in list(_timers):
        if timer.is_alive() and timer is not threading.current_thread():
            timer.pause_for_fork()


def _after_fork() -> None:
    for timer in list(_timers):
        timer.resume()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_timers.clear)
