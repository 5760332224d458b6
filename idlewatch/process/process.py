"""What exists once in a server process hangs on one object, so that several processes fit into one interpreter.

What lives long (a timer, a hub, a store) is given its `Process` when it is made. Entry points (middleware, consumers,
views, receivers, commands) ask for the current one: `watched()` sets it for each call; elsewhere it is the default.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from contextvars import Context, ContextVar
from threading import Lock, RLock
from typing import Any, ParamSpec, Protocol, TypeVar, runtime_checkable
from weakref import WeakSet

from idlewatch.core.clock import Clock
from idlewatch.process.threads import Lane, Threads

P = ParamSpec("P")
T = TypeVar("T")


@runtime_checkable
class Closable(Protocol):
    """A part that holds something open."""

    def close(self) -> None:
        """Let go of it."""


class Process:
    """One server process: its name, its clock, its hops to threads, and the parts that layers above keep in it.

    A part is made when it is first asked for, by the class or function that asks, so nothing here knows the layers
    above: the store, the runtimes (hub, bus, timer), the dispatcher of signals, the clock sync, the store lease, the
    readers of the live page.

    A fork is another process: there the same object has another name, and none of the parts.
    """

    def __init__(self, name: str | None = None, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self._begin(name)
        _living.add(self)

    def _begin(self, name: str | None = None) -> None:
        self.name = name or secrets.token_hex(8)
        """Random: a pid comes again, and means nothing on another host."""
        self.is_served = False
        """An application that `watched()` wrapped runs in it, and with it the timer."""
        self.threads = Threads(self.entered)
        self._parts: dict[Callable[[Process], Any], Any] = {}
        # Two first requests in two threads would otherwise get a part each.
        self._making = RLock()
        self._tasks: set[asyncio.Task[None]] = set()

    def part(self, make: Callable[[Process], T]) -> T:
        """Return what `make` makes of this process: once, when it is first asked for."""
        part: T | None = self._parts.get(make)
        if part is None:
            with self._making:
                part = self._parts.get(make)
                if part is None:
                    part = self._parts[make] = make(self)
        return part

    def keep(self, make: Callable[[Process], T], part: T) -> None:
        """Use this part in place of what `make` would make."""
        self._parts[make] = part

    def discard(self, make: Callable[[Process], object]) -> None:
        """Close what `make` made; the next use makes it again."""
        with self._making:
            part = self._parts.pop(make, None)
        if isinstance(part, Closable):
            part.close()

    def entered(self) -> AbstractContextManager[None]:
        """Make this the current process of what runs inside."""
        return _Entered(self)

    def context(self) -> Context:
        """Return a context for a task of this process.

        Nothing else is in it: the context of the request that starts a task would tie the task to its thread.
        """
        context = Context()
        context.run(_current.set, self)
        return context

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something in the background: an event loop itself holds its tasks only weakly."""
        task = asyncio.get_running_loop().create_task(work, context=self.context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def close(self) -> None:
        """Close every part, the latest first, and the threads."""
        for make in reversed(list(self._parts)):
            self.discard(make)
        self.threads.close()
        _living.discard(self)


class _Entered(AbstractContextManager[None]):
    # It is around every request: a generator would take three times as long.
    __slots__ = ("_process", "_token")

    def __init__(self, process: Process) -> None:
        self._process = process

    def __enter__(self) -> None:
        self._token = _current.set(self._process)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


_current: ContextVar[Process | None] = ContextVar("idlewatch_process", default=None)
_default: Process | None = None
_choosing = Lock()
_living: WeakSet[Process] = WeakSet()
"""The processes of this interpreter that are not closed."""


def current_process() -> Process:
    """Return the process that is served here: by default the one of this interpreter, made when first asked for."""
    return _current.get() or _default or _make_default()


def now() -> float:
    """Return the current process's time in epoch seconds."""
    # On every request and message: as `current_process` does it.
    return (_current.get() or _default or _make_default()).clock.now()


async def in_thread(lane: Lane, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function in a thread of the current process, and return what it returns."""
    return await current_process().threads.run(lane, function, *args, **kwargs)


def set_default(process: Process | None) -> Process | None:
    """Make `process` the default, and return the one before; None: the next that asks makes one."""
    global _default
    before, _default = _default, process
    return before


def lives_here(name: str) -> bool:
    """Return whether a process with this name lives in this interpreter."""
    return any(process.name == name for process in list(_living))


def _make_default() -> Process:
    global _default  # noqa: PLW0603 - there is one for the interpreter
    with _choosing:
        if _default is None:
            _default = Process()
        return _default


def _begin_after_fork() -> None:
    """Leave names, parts, threads and locks to the parent: a server may load the application before it forks."""
    global _choosing  # noqa: PLW0603 - there is one for the interpreter
    _choosing = Lock()
    _current.set(None)
    set_default(None)
    for process in list(_living):
        process._begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_after_fork)
