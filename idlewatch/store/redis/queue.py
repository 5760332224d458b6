"""The due sessions in Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import TypeVar

from msgspec import msgpack

from idlewatch.core.policy import Verdict
from idlewatch.store import transitions
from idlewatch.store.base import CHANGE_BATCH, TOMBSTONE_TTL, DueQueue
from idlewatch.store.listing import deadline_of
from idlewatch.store.redis.client import Client
from idlewatch.store.redis.codec import NO_MOMENT, claimed_of, pairs
from idlewatch.store.redis.commands import Command, script
from idlewatch.store.redis.keys import Keys
from idlewatch.store.redis.pubsub import WakeupListener
from idlewatch.store.redis.rows import Rows, Write
from idlewatch.store.values import Due, Watched

T = TypeVar("T")


class RedisQueue(DueQueue):
    """Keeps a sorted set of moments for each kind.

    A batch is one call of a script, which names the rows of all its sessions: they are in one slot of a cluster by the
    hash tag of the prefix. Redis serves no one else during a call, so a long list takes several.
    """

    def __init__(self, client: Client, wakeups: WakeupListener) -> None:
        self._client = client
        self._keys = Keys(client.prefix)
        self._wakeups = wakeups
        self._rows = Rows(client, wakeups)

    async def claim(self, due: Due, now: float, limit: int, lease: float) -> Sequence[Watched]:
        claimed, _, _ = await self._claim(due, now, limit, lease)
        return claimed

    async def claim_next(
        self, due: Due, now: float, limit: int, lease: float
    ) -> tuple[Sequence[Watched], float | None]:
        # What becomes due while the answer is on its way has to wake the caller.
        self._wakeups.note_next(due, None)
        claimed, first, settle_after = await self._claim(due, now, limit, lease)
        return claimed, self._noted(due, float(first) if first else None, settle_after)

    async def settle(
        self, claimed: Sequence[Watched], now: float, verdicts: Sequence[Verdict] | None = None
    ) -> Sequence[Watched | None]:
        if verdicts is None:
            verdicts = [watched.verdict(now) for watched in claimed]
        batches = zip(_batches(claimed), _batches(verdicts), strict=True)
        return [watched for batch, judged in batches for watched in await self._settle(batch, now, judged)]

    async def confirm(self, due: Due, claimed: Sequence[Watched], now: float, *, doubted: Collection[str] = ()) -> None:
        confirming = (self._confirm(due, batch, now, doubted) for batch in _batches(claimed))
        for at in await asyncio.gather(*confirming):
            self._wakeups.notify(due, float(at))

    async def repair(self, sessions: Sequence[Watched], now: float) -> int:
        repaired = 0
        for batch in _batches(sessions):
            args: list[object] = [self._keys.prefix, self._client.name, repr(now)]
            for watched in batch:
                args += [watched.id, watched.version, repr(deadline_of(watched))]
            rows = [self._keys.row(watched.id) for watched in batch]
            repaired += await self._client.acall(script("repair", rows, args))
        return repaired

    async def next_due(self, due: Due) -> float | None:
        # What becomes due while the answer is on its way has to wake the caller.
        self._wakeups.note_next(due, None)
        ask_first = Command("ZRANGE", [self._keys.due(due)], [0, 0, "WITHSCORES"])
        asked = [self._client.acall(ask_first)]
        if due is Due.PUSH:
            asked.append(self._client.acall(Command("HGET", [self._keys.other("epoch")], ["settle_after"])))
        first, *settle_after = await asyncio.gather(*asked)
        at = float(first[0][1] if isinstance(first[0], list | tuple) else first[1]) if first else None
        return self._noted(due, at, *settle_after)

    def on_due_sooner(self, due: Due, callback: Callable[[], None]) -> Callable[[], None]:
        return self._wakeups.listen(due, callback)

    async def _claim(
        self, due: Due, now: float, limit: int, lease: float
    ) -> tuple[Sequence[Watched], bytes | None, bytes | None]:
        """Claim; return also the first moment of what is due then, and until when the clock ends nothing."""
        args = [self._keys.prefix, due.value, repr(now), limit, repr(lease)]
        first, settle_after, rows = await self._client.acall(script("claim", [self._keys.due(due)], args))
        return self._client.decoded_of(partial(claimed_of, due), pairs(rows)), first, settle_after

    def _noted(self, due: Due, first: float | None, settle_after: bytes | None = None) -> float | None:
        """Note when something is due next, as Redis answered; return when a caller has to look for it."""
        self._wakeups.note_next(due, first)
        if due is Due.PUSH and first is not None:
            return max(first, float(settle_after)) if settle_after else None
        return first

    async def _confirm(self, due: Due, claimed: Sequence[Watched], now: float, doubted: Collection[str]) -> bytes:
        packed: list[tuple[object, ...]] = []
        for watched in claimed:
            known = watched.id, watched.version
            if due is Due.PUSH:
                packed.append((*known, _next_push_at(watched, now)))
            elif due is Due.CHECK:
                is_doubted = watched.id in doubted
                next_at = transitions.next_check_at(watched.policy, now, is_doubted=is_doubted)
                packed.append((*known, next_at, int(is_doubted)))
            else:
                packed.append(known)
        args = [self._keys.prefix, self._client.name, repr(now), due.value, repr(TOMBSTONE_TTL), msgpack.encode(packed)]
        answer: bytes = await self._client.acall(script("confirm", [self._keys.due(due)], args))
        return answer

    async def _settle(
        self, claimed: Sequence[Watched], now: float, verdicts: Sequence[Verdict]
    ) -> Iterator[Watched | None]:
        # What is settled has the same verdict.
        writes = [
            Write(watched, transitions.settled(watched, verdict, now), now, verdict=verdict)
            for watched, verdict in zip(claimed, verdicts, strict=True)
        ]
        outcomes = await self._client.arun(self._rows.write_all(writes, "settle"))
        return (write.new if outcome.done else None for write, outcome in zip(writes, outcomes, strict=True))


def _next_push_at(watched: Watched, now: float) -> float | str:
    """Return when what its tabs were told changes, as `confirm.lua` takes it; empty if it has changed already."""
    verdict = watched.verdict(now)
    if verdict.shown != watched.shown:
        return ""
    return NO_MOMENT if verdict.next_at is None else verdict.next_at


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), CHANGE_BATCH):
        yield items[start : start + CHANGE_BATCH]
