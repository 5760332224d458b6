"""The part that all live pages have in common: the number of sessions, and the chart of the last hour."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from idlewatch.exceptions import StoreUnavailable
from idlewatch.monitor import stores
from idlewatch.process import Process
from idlewatch.runtime.membership import SAMPLE_RETENTION
from idlewatch.runtime.runtime import runtime_of
from idlewatch.store.values import Census, Sample

SAMPLE_INTERVAL = 5.0
"""Seconds between reads of new samples, of which there are only a few a minute."""


class Summary(NamedTuple):
    """What all live pages have in common."""

    census: Census
    samples: tuple[Sample, ...]


class Summaries:
    """Reads the summary, once for all pages."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._clock = process.clock
        self._summary: Summary | None = None
        self._lock = asyncio.Lock()
        self._samples: tuple[Sample, ...] = ()
        self._sampled_at = float("-inf")

    def expire(self) -> None:
        """Read it again the next time."""
        self._summary = None

    def clear(self) -> None:
        """Forget everything read."""
        self._summary, self._samples, self._sampled_at = None, (), float("-inf")

    async def get(self) -> Summary:
        """Return the current summary.

        Raises:
            StoreUnavailable: also until the memory store has been filled from the records.
        """
        if not runtime_of(self._process).timer.owns_store:
            raise StoreUnavailable
        async with self._lock:
            if self._summary is None:
                census = await stores.store_of(self._process).statistics.census()
                if self._clock.ticks() - self._sampled_at >= SAMPLE_INTERVAL:
                    await self._sample()
                self._summary = Summary(census, self._samples)
            return self._summary

    async def _sample(self) -> None:
        # All of them again if this fails: a store may come back without its samples.
        known, self._samples = self._samples, ()
        if known and known[-1].at > self._clock.now():
            # The clock was set back: new samples would not be later than these.
            known = ()
        statistics = stores.store_of(self._process).statistics
        samples = (*known, *await statistics.samples(known[-1].at if known else 0.0))
        self._samples = tuple(each for each in samples if each.at > samples[-1].at - SAMPLE_RETENTION)
        self._sampled_at = self._clock.ticks()
