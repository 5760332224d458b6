"""The clock by which sessions are judged, and times at the edges."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import partial


def _elapsing() -> Callable[[], float]:
    # Where available, the clock that includes time asleep: sessions age while the server is suspended, too.
    return partial(time.clock_gettime, time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic


class Clock:
    """A clock in epoch seconds that steps of the system clock don't move, and that waits.

    It reads the system clock once and counts on from there, so that a correction by an hour neither ends every session
    nor extends one. Daylight saving time has no effect.
    """

    def __init__(self) -> None:
        self._elapsed = _elapsing()
        self._offset = time.time() - self._elapsed()

    def now(self) -> float:
        """Return the time in epoch seconds."""
        return self._offset + self._elapsed()

    def shift(self, by: float) -> None:
        """Move the clock by a number of seconds, so that several processes agree on one time."""
        self._offset += by

    def wall(self) -> float:
        """Return the time of the machine's own clock, which may be set."""
        return time.time()

    def ticks(self) -> float:
        """Return seconds since some moment, to measure how long something takes: no `shift` changes them."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""
        await asyncio.sleep(seconds)

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """Return a context that is cancelled after so many seconds, and raises `TimeoutError` then."""
        return asyncio.timeout(seconds)


def in_utc(moment: datetime, timespec: str = "milliseconds") -> str:
    """Return an aware datetime in UTC as an ISO 8601 string, such as `2026-01-31T12:00:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def as_datetime(moment: float) -> datetime:
    """Return epoch seconds as an aware datetime in UTC."""
    return datetime.fromtimestamp(moment, tz=UTC)
