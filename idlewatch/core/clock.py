"""The time by which sessions are judged."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def _elapsed() -> float:
    # Where it is there, the clock that goes on while the machine sleeps: a suspended server's sessions grow old too.
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Clock:
    """Epoch seconds that no step of the machine's clock moves.

    Read from the wall once, and counted on from there: a correction by an hour neither ends every session nor
    lengthens one. Daylight saving does not exist here.
    """

    def __init__(self) -> None:
        self._offset = time.time() - _elapsed()

    def __call__(self) -> float:
        """Return the time in epoch seconds."""
        return self._offset + _elapsed()

    def shift(self, by: float) -> None:
        """Count on from `by` seconds later: several processes agree on one time."""
        self._offset += by


now = Clock()


def in_utc(moment: datetime, timespec: str = "milliseconds") -> str:
    """Return an aware datetime as ISO 8601 has it, in UTC."""
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def as_datetime(moment: float) -> datetime:
    """Return epoch seconds as an aware datetime in UTC."""
    return datetime.fromtimestamp(moment, tz=UTC)
