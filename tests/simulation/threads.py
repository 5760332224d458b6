"""Threads of simulated processes: sync code in greenlets, which pauses wherever it waits for a database or Redis."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import partial
from typing import Any, ParamSpec, TypeVar

from greenlet import getcurrent, greenlet

from idlewatch.process import Lane, Threads
from idlewatch.process.process import current_process
from idlewatch.process.threads import SIZES, _on_usable_connections

P = ParamSpec("P")
T = TypeVar("T")


class Thread(greenlet):
    """One piece of sync code, with the database connections of the thread that runs it."""

    local: dict[str, Any]


def pause(seconds: float = 0.0) -> None:
    """Have the thread of the caller wait for so many virtual seconds, while other things happen.

    Outside of a thread, in an event loop's own code, no time passes.
    """
    thread = getcurrent()
    if isinstance(thread, Thread):
        asyncio.get_running_loop().call_later(seconds, thread.switch, context=thread.context)
        _leave(thread)


def is_in_thread() -> bool:
    """Return whether the caller runs in a simulated thread."""
    return isinstance(getcurrent(), Thread)


def wait_for(future: asyncio.Future[Any]) -> None:
    """Have the thread of the caller wait until a future is done."""
    thread = getcurrent()
    assert isinstance(thread, Thread), "only a thread can wait"
    if not future.done():
        future.add_done_callback(lambda _: thread.switch(), context=thread.context)
        _leave(thread)


def _leave(thread: Thread) -> None:
    thread.parent.switch()


def run(work: Callable[[], T], local: dict[str, Any], context: Context) -> asyncio.Future[T]:
    """Run sync code in a thread; `local` keeps its database connections."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def body() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - the caller that waits is to have it
            if not done.done():
                if isinstance(error, StopIteration):
                    error = RuntimeError(repr(error))
                done.set_exception(error)
                done.exception()
            return
        if not done.done():
            done.set_result(result)

    thread = Thread(body, parent=_main())
    thread.local, thread.context = local, context
    thread.gr_context = context.copy()
    loop.call_soon(thread.switch, context=context)
    return done


def _main() -> greenlet:
    current = getcurrent()
    while current.parent is not None:
        current = current.parent
    return current


class SimulatedThreads(Threads):
    """The one way from an event loop to a thread, on greenlets."""

    def __init__(self, entered: Any) -> None:
        super().__init__(entered)
        self._idle: dict[Lane, list[dict[str, Any]]] = {lane: [{} for _ in range(SIZES.get(lane, 4))] for lane in Lane}
        self.every = [list(idle) for idle in self._idle.values()]
        """What the threads of each lane keep."""
        self._queues: dict[Lane, deque[tuple[Callable[[], Any], asyncio.Future[Any], Context]]] = {
            lane: deque() for lane in Lane
        }

    async def run(self, lane: Lane, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in a thread of its lane, in the order in which they were asked for."""
        with self._entered():
            context = copy_context()
        answer = asyncio.get_running_loop().create_future()
        work = partial(function, *args, **kwargs)
        if lane not in {Lane.REQUEST, Lane.WAITING}:
            work = partial(_on_usable_connections, work)
        self._queues[lane].append((work, answer, context))
        self._begin(lane)
        return await answer

    def waiting(self) -> int:
        """Return how many calls wait for a thread."""
        return sum(map(len, self._queues.values()))

    def close(self) -> None:
        """There is nothing to end."""

    def _begin(self, lane: Lane) -> None:
        queue, idle = self._queues[lane], self._idle[lane]
        while queue and idle:
            work, answer, context = queue.popleft()
            # What was cancelled before it began, never begins.
            if answer.done():
                continue
            local = idle.pop()
            done = run(work, local, context)
            done.add_done_callback(partial(self._end, lane, local, answer), context=context)

    def _end(self, lane: Lane, local: dict[str, Any], answer: asyncio.Future[Any], done: asyncio.Future[Any]) -> None:
        self._idle[lane].append(local)
        if not answer.done():
            error = done.exception()
            if error is None:
                answer.set_result(done.result())
            else:
                answer.set_exception(error)
        self._begin(lane)


class Locals:
    """The database connections of whichever thread asks, in the place of Django's own storage."""

    def __init__(self) -> None:
        self.__dict__["_outside"] = {}

    def _here(self) -> dict[str, Any]:
        thread = getcurrent()
        return thread.local if isinstance(thread, Thread) else self.__dict__["_outside"]

    def __getattr__(self, name: str) -> Any:
        try:
            return self._here()[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self._here()[name] = value

    def __delattr__(self, name: str) -> None:
        del self._here()[name]


class Lock:
    """A lock that a thread may hold while it pauses."""

    def __init__(self) -> None:
        self._owner: object = None
        self._waiting: deque[asyncio.Future[None]] = deque()

    def __enter__(self) -> None:
        while self._owner is not None:
            freed = asyncio.get_running_loop().create_future()
            self._waiting.append(freed)
            wait_for(freed)
        self._owner = getcurrent()

    def __exit__(self, *_: object) -> None:
        self._owner = None
        if self._waiting:
            self._waiting.popleft().set_result(None)


class WakeupThread:
    """The `threading.Thread` that listens for wakeups."""

    def __init__(self, target: Any, name: str, daemon: bool) -> None:
        self._target = target

    def start(self) -> None:
        context = current_process().context()
        run(self._target, {}, context)

    def join(self) -> None:
        """It ends by itself."""


class Event:
    """A `threading.Event`, which is looked at after a wait."""

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        self._is_set = True

    def is_set(self) -> bool:
        return self._is_set

    def wait(self, seconds: float) -> bool:
        pause(seconds)
        return self._is_set
