"""The time in tests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Self

from idlewatch.core.clock import Clock
from idlewatch.monitor import stores
from idlewatch.process import Process, current_process, set_default
from idlewatch.testing.timer import arun_due, run_due


class SystemClock(Clock):
    """The clock of tests: the machine's, which freezegun and time-machine set, and what `travel` adds."""

    def __init__(self) -> None:
        self._offset = 0.0

    def now(self) -> float:
        """Return the time in epoch seconds."""
        return time.time() + self._offset


class Travel:
    """Time that has passed; as a context manager, it is taken back at the end."""

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
    """Let time pass at once, and do what is due by then: warn, end, write records, send signals.

    Without `with`, the time stays until the end of `isolated()`, or of the process.

    Raises:
        RuntimeError: the sessions are in a shared store, which has a time of its own.
    """
    travelled = _depart(seconds)
    run_due()
    return travelled


async def atravel(seconds: float | timedelta) -> Travel:
    """Async version of `travel`: open tabs have received what is due when it returns."""
    travelled = _depart(seconds)
    await arun_due()
    return travelled


def _depart(seconds: float | timedelta) -> Travel:
    process = current_process()
    if stores.store_of(process).shared:
        raise RuntimeError(
            "Tests travel in time with the memory store alone; expected IDLEWATCH['STORE'] to be unset in the "
            "settings of your tests."
        )
    return Travel(process, seconds.total_seconds() if isinstance(seconds, timedelta) else seconds)


@contextmanager
def isolated() -> Iterator[Process]:
    """Serve what runs inside by a server process of its own, with a new store, and the time of `SystemClock`.

    What sessions of earlier tests left is not in it, and no travel inside lasts longer.
    """
    process = Process(clock=SystemClock())
    before = set_default(process)
    try:
        yield process
    finally:
        set_default(before)
        process.close()
