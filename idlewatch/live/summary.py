"""What all live pages show alike: how many sessions there are, and the chart of the last hour."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from idlewatch.exceptions import StoreUnavailable
from idlewatch.monitor import service as monitor
from idlewatch.process import Process
from idlewatch.runtime.membership import KEPT
from idlewatch.runtime.runtime import runtime_of
from idlewatch.store.values import Census, Sample

SAMPLING = 5.0
"""Seconds between looks for new samples, of which there are but a few a minute."""


class Summary(NamedTuple):
    """What all pages show alike."""

    census: Census
    samples: tuple[Sample, ...]


class Summaries:
    """Reads it, once for all who need it."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._clock = process.clock
        self._moment: Summary | None = None
        self._taking = asyncio.Lock()
        self._samples: tuple[Sample, ...] = ()
        self._sampled_at = float("-inf")

    def expire(self) -> None:
        """Have the next who needs it read it anew."""
        self._moment = None

    def forget(self) -> None:
        """Know nothing any more."""
        self._moment, self._samples, self._sampled_at = None, (), float("-inf")

    async def take(self) -> Summary:
        """Return the present one.

        Raises:
            StoreUnavailable: also while the store has yet to learn from the records who is there.
        """
        if not runtime_of(self._process).timer.owns_store:
            raise StoreUnavailable
        async with self._taking:
            if self._moment is None:
                census = await monitor.store_of(self._process).statistics.census()
                if self._clock.ticks() - self._sampled_at >= SAMPLING:
                    await self._sample()
                self._moment = Summary(census, self._samples)
            return self._moment

    async def _sample(self) -> None:
        # Anew where this fails: a store may come back without its samples.
        before, self._samples = self._samples, ()
        if before and before[-1].at > self._clock.now():
            # The clock was put back: what is sampled from now on would not be later than what is known.
            before = ()
        samples = (*before, *await monitor.store_of(self._process).statistics.samples(before[-1].at if before else 0.0))
        self._samples = tuple(each for each in samples if each.at > samples[-1].at - KEPT)
        self._sampled_at = self._clock.ticks()
