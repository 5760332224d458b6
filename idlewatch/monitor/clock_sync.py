"""Keeps the clocks of all processes that share a store in step.

No wall clock decides by itself: hosts may differ, and clocks are set. The store has one time; a jump of the clock
behind it is corrected for all by the first process that notices.
"""

from __future__ import annotations

import logging

from idlewatch.process import Process
from idlewatch.store.base import Presence
from idlewatch.store.values import Reading

logger = logging.getLogger("idlewatch")

MIN_STEP = 2.0
"""Seconds between two readings, a round apart, that no drift explains."""
MAX_SIGN_AGE = 5.0
"""Seconds for which another process's sign of life confirms the time."""
CORRECTION_GRACE = 3.0
"""Seconds for which a new process leaves the correction to the others: some rounds."""


class ClockSync:
    """Follows the time of a shared store."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._clock = process.clock
        self._follows = False
        self._doubts_since: float | None = None
        """When this process, being new, found the clock behind the store set and not corrected yet."""

    def follow(self, presence: Presence) -> None:
        """Take over the store's time, whatever the host's clock says.

        Raises:
            StoreUnavailable: the host's own stays for now.
        """
        asked = self._clock.now()
        reading = presence.read_time(self._process.name)
        if reading is not None:
            self._begin(reading, reading.now - (asked + self._clock.now()) / 2)

    async def keep(self, presence: Presence) -> None:
        """Stay with the store's time; where its clock was set, put it right.

        Raises:
            StoreUnavailable: this process counts on by itself meanwhile.
        """
        asked = self._clock.now()
        reading = await presence.aread_time(self._process.name)
        answered = self._clock.now()
        if reading is None:
            return
        apart, blur = reading.now - (asked + answered) / 2, (answered - asked) / 2
        if not self._follows and not self._has_waited(reading):
            self._begin(reading, apart)
        elif abs(apart) <= max(MIN_STEP, blur):
            if abs(apart) > blur:
                self._clock.shift(apart)
        elif _is_confirmed(reading):
            # This machine stood still without its clock noticing, a suspended one, say.
            logger.warning("The clock of this process was off by %.1f s; it follows the others now.", -apart)
            self._clock.shift(apart)
        elif await presence.correct_time(reading, -apart):
            logger.warning("The clock of the store's server jumped by %.1f s; the jump is compensated.", apart)

    def _begin(self, reading: Reading, apart: float) -> None:
        """Take over the store's time, or that of the other processes where the store's clock was set a moment ago."""
        if self._doubts_since is None and _contradicts_all(reading, self._clock.now()):
            assert reading.others is not None  # noqa: S101 - there are others whom it contradicts
            # At most a moment late, so that no session ends early.
            self._clock.shift(reading.others - self._clock.now())
            self._doubts_since = self._clock.now()
        elif self._doubts_since is None or _is_confirmed(reading):
            self._clock.shift(apart)
            self._follows = True

    def _has_waited(self, reading: Reading) -> bool:
        """Return whether the others had the time to correct the clock: they are gone, and it falls to this process."""
        since = self._doubts_since
        if since is not None and self._clock.now() >= since + CORRECTION_GRACE and not _is_confirmed(reading):
            self._follows = True
        return self._follows


def _is_confirmed(reading: Reading) -> bool:
    return reading.others is not None and abs(reading.now - reading.others) <= MAX_SIGN_AGE


def _contradicts_all(reading: Reading, here: float) -> bool:
    """Return whether the other processes and this host's clock agree on another time than the store's."""
    others = reading.others
    return others is not None and abs(here - others) <= MAX_SIGN_AGE < min(
        abs(reading.now - others), abs(reading.now - here)
    )
