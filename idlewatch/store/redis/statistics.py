"""The number and the list of live sessions in Redis."""

from __future__ import annotations

from collections.abc import Sequence

from idlewatch.core.policy import Phase
from idlewatch.store.base import Statistics
from idlewatch.store.listing import GROUPS, census_of, chosen
from idlewatch.store.redis.client import Client
from idlewatch.store.redis.codec import pairs, sample_of, watched_of
from idlewatch.store.redis.commands import Command, script
from idlewatch.store.redis.keys import Keys
from idlewatch.store.values import Census, Listing, Sample


class RedisStatistics(Statistics):
    """Reads the sorted sets of the groups, which the scripts keep."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._keys = Keys(client.prefix)

    async def census(self) -> Census:
        sizes = await self._client.acall(script("census", [self._keys.group(group) for group in GROUPS]))
        return census_of(dict(zip(GROUPS, sizes, strict=True)))

    async def list(
        self, phase: Phase | None, connected: bool | None, offset: int, limit: int, *, reverse: bool = False
    ) -> Listing:
        phases = chosen(phase, connected)
        keys = [self._keys.group(group) for groups in phases for group in groups]
        if not keys:
            return Listing(0, [])
        args = [self._keys.prefix, len(phases[0]), offset, limit, int(reverse)]
        total, *found = await self._client.acall(script("list", keys, args))
        return Listing(total, self._client.decoded_of(watched_of, pairs(found)))

    async def take_sample(self, now: float, every: float, keep: float) -> Sample | None:
        keys = [self._keys.other("samples"), self._keys.other("ended"), *map(self._keys.group, GROUPS)]
        packed = await self._client.acall(script("sample", keys, [repr(now), repr(every), repr(keep)]))
        return None if packed is None else sample_of(packed)

    async def samples(self, after: float = 0.0) -> Sequence[Sample]:
        command = Command("ZRANGEBYSCORE", [self._keys.other("samples")], [f"({after!r}", "+inf"])
        return [sample_of(packed) for packed in await self._client.acall(command)]

    async def restore_samples(self, samples: Sequence[Sample]) -> None:
        """Do nothing: the samples in Redis outlive this process."""
