"""Time travel in tests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Self

from idlewatch.core.clock import Clock
from idlewatch.monitor import stores
from idlewatch.process import Process, current_process, set_default
from idlewatch.signals.dispatcher import Dispatcher
from idlewatch.testing.receivers import DirectDispatcher
from idlewatch.testing.timer import arun_due, run_due


class SystemClock(Clock):
    """The clock of tests: `time.time()`, which freezegun and time-machine set, plus what `travel` adds."""

    def __init__(self) -> None:
        self._offset = 0.0

    def now(self) -> float:
        """Return the time in epoch seconds."""
        return time.time() + self._offset


class Travel:
    """A jump in time; as a context manager, it is undone at the end."""

    def __init__(self, process: Process, seconds: float) -> None:
        self._clock = process.clock
        self._seconds = seconds
        self._clock.shift(seconds)

    def back(self) -> None:
        """Set the clock back; a second call does nothing."""
        self._clock.shift(-self._seconds)
        self._seconds = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.back()


def travel(seconds: float | timedelta) -> Travel:
    """Move the clock, and do what is due by then: warn, end, write records, send signals.

    Without `with`, the clock stays there until the end of `isolated()`, or of the process.

    Raises:
        RuntimeError: the sessions are in a shared store, which has a clock of its own.
    """
    jump = _jump(seconds)
    run_due()
    return jump


async def atravel(seconds: float | timedelta) -> Travel:
    """Async version of `travel`: open tabs have received what is due when it returns."""
    jump = _jump(seconds)
    await arun_due()
    return jump


def _jump(seconds: float | timedelta) -> Travel:
    process = current_process()
    if stores.store_of(process).shared:
        raise RuntimeError(
            "Time travel needs the memory store; expected IDLEWATCH['STORE'] to be unset in the settings of your tests."
        )
    return Travel(process, seconds.total_seconds() if isinstance(seconds, timedelta) else seconds)


@contextmanager
def isolated() -> Iterator[Process]:
    """Run a block in a server process of its own, with a new store and a `SystemClock`.

    No session of an earlier test is in it, and time travel inside ends with it.
    """
    process = Process(clock=SystemClock())
    receivers: Dispatcher = DirectDispatcher(process)
    process.keep(Dispatcher, receivers)
    before = set_default(process)
    try:
        yield process
    finally:
        set_default(before)
        process.close()
