"""Makes this process count time as all processes do that share its store.

No wall clock decides by itself: hosts may differ, and clocks are set. The store tells one time; a jump of the clock
behind it is put right for everybody by the first process that finds out.
"""

from __future__ import annotations

import logging

from idlewatch.clock import now
from idlewatch.process import PROCESS
from idlewatch.store.base import Reading, Store

logger = logging.getLogger("idlewatch")

STEP = 2.0
"""Seconds between two readings, a round apart, that no drift explains."""
FRESH = 5.0
"""Seconds for which another process's sign of life vouches for the time."""


class Timekeeper:
    """Follows the time of a shared store."""

    def __init__(self) -> None:
        self._follows = False

    def follow(self, store: Store) -> None:
        """Take over the store's time, whatever the host's clock says.

        Raises:
            StoreUnavailable: the host's own stays for now.
        """
        asked = now()
        reading = store.read_time(PROCESS)
        if reading is not None:
            now.shift(reading.now - (asked + now()) / 2)
            self._follows = True

    async def keep(self, store: Store) -> None:
        """Stay with the store's time; where its clock was set, put it right.

        Raises:
            StoreUnavailable: this process counts on by itself meanwhile.
        """
        asked = now()
        reading = await store.aread_time(PROCESS)
        answered = now()
        if reading is None:
            return
        apart, blur = reading.now - (asked + answered) / 2, (answered - asked) / 2
        if not self._follows:
            now.shift(apart)
            self._follows = True
        elif abs(apart) <= max(STEP, blur):
            if abs(apart) > blur:
                now.shift(apart)
        elif _is_vouched_for(reading):
            # This machine stood still without its clock noticing, a suspended one, say.
            logger.warning("This process was %.1f s away from the time of the others, and follows them.", -apart)
            now.shift(apart)
        else:
            logger.warning("The clock behind the store was set by %.1f s: sessions are judged as if it had not.", apart)
            await store.acorrect_time(reading, -apart)


def _is_vouched_for(reading: Reading) -> bool:
    return reading.others is not None and abs(reading.now - reading.others) <= FRESH


timekeeper = Timekeeper()
