"""The number and the list of live sessions in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from idlewatch.core.policy import Phase
from idlewatch.store.base import Statistics
from idlewatch.store.memory.ledger import Ledger
from idlewatch.store.values import Census, Listing, Sample


class MemoryStatistics(Statistics):
    """Counts by the index of the ledger, and keeps the samples."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = ledger.lock
        self._samples: deque[Sample] = deque()

    async def census(self) -> Census:
        with self._lock:
            return self._ledger.index.census()

    async def list(
        self, phase: Phase | None, connected: bool | None, offset: int, limit: int, *, reverse: bool = False
    ) -> Listing:
        with self._lock:
            total, watch_ids = self._ledger.index.page(phase, connected, offset, limit, reverse=reverse)
            return Listing(total, [self._ledger.entries[watch_id].watched for watch_id in watch_ids])

    async def take_sample(self, now: float, every: float, keep: float) -> Sample | None:
        with self._lock:
            samples = self._samples
            # The clock was set back: samples of the future must not hold up those that follow.
            while samples and samples[-1].at > now + every:
                samples.pop()
            if samples and now < samples[-1].at + every:
                return None
            census = self._ledger.index.census()
            sample = Sample(now, census.active, census.warned, self._ledger.ended)
            samples.append(sample)
            self._ledger.ended = 0
            while samples[0].at < now - keep:
                samples.popleft()
            return sample

    async def samples(self, after: float = 0.0) -> Sequence[Sample]:
        with self._lock:
            return [sample for sample in self._samples if sample.at > after]

    async def restore_samples(self, samples: Sequence[Sample]) -> None:
        with self._lock:
            self._samples = deque(samples)

    def clear(self) -> None:
        """Forget all samples. The caller holds the lock."""
        self._samples.clear()
