"""A clock that a test sets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import Any, NamedTuple

from idlewatch.core.clock import Clock

START = 1_900_000_000.0
"""Where the tests' clock stands at first."""


class Wait(NamedTuple):
    """A callback that is due at a moment."""

    at: float
    number: int
    fire: Callable[[], object]


class TestClock(Clock):
    """The real clock, until a test stops it (`stop`), or makes all that sleeps wait for it, too (`take_over`)."""

    __test__ = False

    def __init__(self) -> None:
        super().__init__()
        self.moment: float | None = None
        """The time where it is stopped."""
        self._ticks: float | None = None
        self._waits: list[Wait] = []
        self._numbers = count()
        self._in_threads = 0

    @property
    def is_taken_over(self) -> bool:
        """True where time passes by `advance` alone."""
        return self._ticks is not None

    def stop(self, at: float = START) -> None:
        """Stand at `at`; what sleeps waits for real time to pass."""
        self.moment = at

    def take_over(self, at: float = START) -> None:
        """Stand at `at`, and wake no sleeper before `advance` has come that far."""
        self.moment, self._ticks = at, 0.0
        loop = asyncio.get_running_loop()
        loop.run_in_executor = partial(self._in_thread, loop.run_in_executor)  # type: ignore[method-assign]

    async def advance(self, seconds: float) -> float:
        """Let time pass and wake each sleeper at its time; return the time then."""
        assert self._ticks is not None, "advance() needs take_over()"
        until = self._ticks + seconds
        await self.settle()
        while self._waits and self._waits[0].at <= until:
            wait = heappop(self._waits)
            self._go_to(max(wait.at, self._ticks))
            wait.fire()
            await self.settle()
        self._go_to(until)
        await self.settle()
        return self.now()

    async def settle(self) -> None:
        """Run everything that need not wait, in threads too."""
        loop: Any = asyncio.get_running_loop()
        idle = 0
        while idle < 2:
            await asyncio.sleep(0.0005 if self._in_threads else 0)
            idle = 0 if loop._ready or self._in_threads else idle + 1

    def now(self) -> float:
        return super().now() if self.moment is None else self.moment

    def wall(self) -> float:
        return super().wall() if self._ticks is None else self.now()

    def shift(self, by: float) -> None:
        if self.moment is None:
            super().shift(by)
        elif self._ticks is not None:
            self.moment += by

    def ticks(self) -> float:
        return super().ticks() if self._ticks is None else self._ticks

    async def sleep(self, seconds: float) -> None:
        if self._ticks is None:
            await super().sleep(seconds)
            return
        slept = asyncio.get_running_loop().create_future()
        self._wait(seconds, lambda: slept.done() or slept.set_result(None))
        await slept

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        return super().timeout(seconds) if self._ticks is None else self._timeout(seconds)

    @asynccontextmanager
    async def _timeout(self, seconds: float) -> AsyncIterator[object]:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(None if seconds > 0 else 0) as scope:
            wait = self._wait(seconds, lambda: scope.reschedule(loop.time()))
            try:
                yield scope
            finally:
                if wait in self._waits:
                    self._waits.remove(wait)
                    self._waits.sort()

    def _wait(self, seconds: float, fire: Callable[[], object]) -> Wait:
        assert self._ticks is not None
        wait = Wait(self._ticks + max(seconds, 0.0), next(self._numbers), fire)
        heappush(self._waits, wait)
        return wait

    def _go_to(self, ticks: float) -> None:
        assert self.moment is not None
        assert self._ticks is not None
        self.moment += ticks - self._ticks
        self._ticks = ticks

    def _in_thread(self, run: Callable[..., asyncio.Future[Any]], *args: Any) -> asyncio.Future[Any]:
        def returned(_: asyncio.Future[Any]) -> None:
            self._in_threads -= 1

        self._in_threads += 1
        done = run(*args)
        done.add_done_callback(returned)
        return done


class Time:
    """The time by which sessions are judged, for a test to set."""

    def __init__(self, clock: TestClock) -> None:
        self.clock = clock

    @property
    def now(self) -> float:
        return self.clock.now()

    @now.setter
    def now(self, moment: float) -> None:
        self.clock.moment = moment

    def pass_(self, seconds: float) -> float:
        """Let some time go by; return what the clock says then."""
        self.now += seconds
        return self.now
