"""The processes that share a Redis, the age of the store, and its time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from idlewatch.core.events import TabsCounted
from idlewatch.exceptions import Undecided
from idlewatch.store.base import CHANGE_BATCH, Presence, SessionStore
from idlewatch.store.redis.client import Client
from idlewatch.store.redis.commands import Command, Steps, script
from idlewatch.store.redis.keys import Keys
from idlewatch.store.values import Reading, Renewal, Share

KEY_TTL = 86_400
"""Seconds for which keys that belong to no session are kept: processes, the epoch, the clock's correction."""
RESUME_LEASE = 10.0
"""Seconds without progress after which another process resumes the records into a store that lost data."""
PART_LEASE = 5.0
"""Seconds after which a part of the records that a process took, and has not resumed, is given to another one."""
PARTS_TTL = 3600
"""Seconds for which the parts are kept after the last ones were offered."""
REAP_LEASE = 10.0
"""Seconds after which another process goes on to remove the tabs of a dead one."""


class RedisPresence(Presence):
    """Keeps a lease for each process; all go by the clock of Redis."""

    def __init__(self, client: Client, sessions: SessionStore) -> None:
        self._client = client
        self._keys = Keys(client.prefix)
        self._sessions = sessions
        self._seen: tuple[bytes, int] = (b"", 0)
        """When the store was created as this process knows it, and how many renewals it saw: an old copy lacks some."""

    async def renew(self, process: str, now: float, lease: float) -> Renewal:
        keys = [self._keys.other(name) for name in ("processes", "reaping", "last_seen", "epoch")]
        args = [process, repr(now), repr(lease), repr(RESUME_LEASE), KEY_TTL, *self._seen]
        call = script("renew", [*keys, self._keys.served(process)], args)
        known, resume, created_at, settle_after, lost_from, renewals, lapsed = await self._client.acall(call)
        self._seen = created_at, renewals
        return Renewal(
            bool(known),
            bool(resume),
            float(created_at),
            float(settle_after or "inf"),
            float(lost_from) if lost_from else None,
            lapsed > 0,
        )

    async def keep_resuming(self, created_at: float, now: float) -> None:
        await self._hold("resuming", created_at, now + RESUME_LEASE)

    async def mark_resumed(self, created_at: float, settle_after: float) -> None:
        await self._hold("resumed", created_at, settle_after)

    async def offer_parts(self, created_at: float, sharer: str, parts: Sequence[str], *, are_first: bool) -> None:
        args = [self._keys.prefix, repr(created_at), sharer, int(are_first), PARTS_TTL, *parts]
        await self._client.acall(script("offer", [self._keys.other("epoch")], args))

    async def take_part(
        self, created_at: float, now: float, *, sharer: str = "", done: str = "", takes: bool = True
    ) -> Share:
        lease = repr(PART_LEASE) if takes else "0"
        args = [self._keys.prefix, repr(created_at), sharer, repr(now), lease, done]
        found = await self._client.acall(script("take", [self._keys.other("epoch")], args))
        if not found:
            return Share("", "", 0, 0)
        offered_by, part, offered, is_done = found
        return Share(offered_by.decode(), part.decode(), offered, is_done)

    async def hold_back(self, created_at: float, settle_after: float) -> None:
        await self._hold("reporting", created_at, settle_after)

    async def reap(self, now: float) -> Sequence[str]:
        keys = [self._keys.other("processes"), self._keys.other("reaping")]
        found = await self._client.acall(script("reap", keys, [repr(now), repr(REAP_LEASE), self._keys.prefix]))
        dead = [process.decode() for process in found]
        for process in dead:
            found = await self._client.acall(Command("SMEMBERS", [self._keys.served(process)]))
            watch_ids, is_done = sorted(watch_id.decode() for watch_id in found), True
            for start in range(0, len(watch_ids), CHANGE_BATCH):
                # In small steps: other calls, such as a push, wait for one of them at most.
                batch = watch_ids[start : start + CHANGE_BATCH]
                # Each takes its session off the list: what the process, back meanwhile, adds to it has to stay.
                is_done &= all(await asyncio.gather(*(self._take_back(each, process, now) for each in batch)))
            if is_done:
                await self._client.acall(Command("ZREM", [self._keys.other("reaping")], [process]))
        return dead

    async def _take_back(self, watch_id: str, process: str, now: float) -> bool:
        """Remove the tabs of a process from a session; return False if too many others write the session."""
        try:
            await self._sessions.aapply(watch_id, TabsCounted(process, 0), now)
        except Undecided:
            return False
        return True

    def is_holding_back(self, now: float) -> bool:
        args = [self._keys.prefix, repr(now)]
        return bool(self._client.call(script("holding_back", [self._keys.other("epoch")], args)))

    def read_time(self, process: str) -> Reading | None:
        return self._client.run(self._read_time(process))

    async def aread_time(self, process: str) -> Reading | None:
        return await self._client.arun(self._read_time(process))

    async def correct_time(self, reading: Reading, by: float) -> bool:
        args = [repr(reading.correction), repr(reading.correction + by), KEY_TTL]
        return bool(await self._client.acall(script("correct", [self._keys.other("correction")], args)))

    async def _hold(self, what: str, created_at: float, moment: float) -> None:
        await self._client.acall(script("hold", [self._keys.other("epoch")], [what, repr(moment), repr(created_at)]))

    def _read_time(self, process: str) -> Steps[Reading | None]:
        keys = [self._keys.other("correction"), self._keys.other("last_seen")]
        now, correction, others = yield script("time", keys, [process, KEY_TTL])
        return Reading(float(now), float(correction), float(others) if others else None)
