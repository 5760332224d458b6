"""The store that any number of processes share: Redis 7 or later, or Valkey.

Each operation is a generator of commands, driven by a thread or by an event loop: so its two faces are one. What an
event means, the pure functions decide here; a script is one atomic step, a compare-and-set mostly.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, TypeVar

from idlewatch.core.activity import Reason
from idlewatch.core.events import Acted, Event, Requested, TabClosed, TabOpened, TabsCounted
from idlewatch.core.policy import Phase, Verdict
from idlewatch.store import transitions
from idlewatch.store.base import Census, Due, Listing, Reading, Renewal, Sample, Store, Watched
from idlewatch.store.listing import GROUPS, Group, census_of, chosen, deadline_of
from idlewatch.store.redis.client import Command, Link
from idlewatch.store.redis.codec import claimed_of, row_of, sample_of, watched_of
from idlewatch.store.redis.pubsub import WakeupListener

TOMBSTONE_TTL = 600.0
"""Seconds for which an end is kept once its record is closed: longer than any request that read the record before."""
LIFE = 86_400
"""Seconds for which what no session owns is kept: processes, the epoch, the clock's correction."""
PATIENCE = 30.0
"""Seconds after which another process resumes the records into a new store, where the first one did not finish."""
BURIAL = 10.0
"""Seconds after which another process goes on with the burial of a dead one."""

T = TypeVar("T")
Steps = Generator[Command, Any, T]
"""An operation: it asks commands and is sent their answers."""


class Written(NamedTuple):
    """What came of an attempt to write."""

    done: bool
    stands: Watched | None
    """The watch as it stands now."""


class RedisStore(Store):
    """Keeps everything in Redis.

    `LOCATION` is a URL as redis-py takes it. `OPTIONS`: `PREFIX` of every key, with a hash tag; `SENTINELS`, a list of
    (host, port), `MASTER` and `SENTINEL_OPTIONS`; the rest goes to the connections.
    """

    shared: ClassVar[bool] = True

    def __init__(self, location: str | None = None, options: Mapping[str, object] | None = None) -> None:
        super().__init__(location, options or {})
        self._link = Link(location, self.options)
        self._prefix = self._link.prefix
        self._signed = (self._link.prefix, self._link.name)
        self._ears = WakeupListener(self._link)

    def get(self, watch_id: str) -> Watched | None:
        return self._do(self._getting(watch_id))

    def open(self, watched: Watched, now: float) -> Watched:
        return self._do(self._opening(watched, now))

    def restart(self, watched: Watched, now: float) -> Watched:
        return self._do(self._restarting(watched, now))

    def apply(self, watch_id: str, event: Event, now: float) -> Watched | None:
        return self._do(self._applying(watch_id, event, now))

    def bind(self, watch_id: str, key: str) -> None:
        self._link.call(Command((1, self._row(watch_id), key), "bind"))

    def end(self, watch_id: str, reason: Reason, now: float) -> Watched:
        return self._do(self._ending(watch_id, reason, now))

    def get_all(self, watches: Sequence[str]) -> Sequence[Watched | None]:
        return self._do(self._getting_all(watches))

    async def aget(self, watch_id: str) -> Watched | None:
        return await self._ado(self._getting(watch_id))

    async def aopen(self, watched: Watched, now: float) -> Watched:
        return await self._ado(self._opening(watched, now))

    async def aapply(self, watch_id: str, event: Event, now: float) -> Watched | None:
        return await self._ado(self._applying(watch_id, event, now))

    async def aend(self, watch_id: str, reason: Reason, now: float) -> Watched:
        return await self._ado(self._ending(watch_id, reason, now))

    async def aclaim(self, due: Due, now: float, limit: int, lease: float) -> Sequence[Watched]:
        command = Command((1, self._list(due), self._prefix, due.value, repr(now), limit, repr(lease)), "claim")
        found: list[bytes] = await self._link.acall(command)
        return [claimed_of(watch_id.decode(), row) for watch_id, row in _pairs(found)]

    async def asettle(self, watched: Watched, verdict: Verdict, now: float) -> Watched | None:
        written = await self._ado(
            self._writing(watched, transitions.settled(watched, verdict, now), now, mode="settle")
        )
        return written.stands if written.done else None

    async def aconfirm(
        self, due: Due, watched: Watched, now: float, next_at: float | None = None, *, doubted: bool = False
    ) -> None:
        args = [1, self._row(watched.id), *self._signed, watched.id, repr(now), due.value, watched.version]
        args.append(repr(TOMBSTONE_TTL))
        if next_at is not None:
            args += [repr(next_at), int(doubted)]
        again_at = float(await self._link.acall(Command(tuple(args), "confirm")))
        self._ears.hear(due, again_at)

    async def anext_due(self, due: Due) -> float | None:
        # What becomes due while the answer is on its way has to wake whoever asks.
        self._ears.told(due, None)
        first = await self._link.acall(Command(("ZRANGE", self._list(due), 0, 0, "WITHSCORES")))
        at = float(first[0][1] if isinstance(first[0], list | tuple) else first[1]) if first else None
        self._ears.told(due, at)
        return at

    def on_due_sooner(self, due: Due, callback: Callable[[], None]) -> Callable[[], None]:
        return self._ears.listen(due, callback)

    async def arenew(self, process: str, now: float, lease: float) -> Renewal:
        names = ("processes", "burials", "signs", "epoch", f"served:{process}")
        keys = (len(names), *map(self._key, names))
        args = (process, repr(now), repr(lease), repr(PATIENCE), LIFE)
        known, resume, created_at = await self._link.acall(Command((*keys, *args), "renew"))
        return Renewal(bool(known), bool(resume), float(created_at))

    async def aresumed(self) -> None:
        epoch = self._key("epoch")
        await self._link.acall(Command(("HSET", epoch, "resumed", 1)))
        # The store may have been emptied meanwhile: then the line above made a key without a lifetime.
        await self._link.acall(Command(("EXPIRE", epoch, LIFE)))

    def read_created_at(self) -> float | None:
        created_at = self._link.call(Command(("HGET", self._key("epoch"), "created_at")))
        return None if created_at is None else float(created_at)

    def read_time(self, process: str) -> Reading | None:
        return self._do(self._reading(process))

    async def aread_time(self, process: str) -> Reading | None:
        return await self._ado(self._reading(process))

    async def acorrect_time(self, reading: Reading, by: float) -> None:
        args = (1, self._key("correction"), repr(reading.correction), repr(reading.correction + by), LIFE)
        await self._link.acall(Command(args, "correct"))

    async def areap(self, now: float) -> Sequence[str]:
        keys = (2, self._key("processes"), self._key("burials"))
        found = await self._link.acall(Command((*keys, repr(now), repr(BURIAL)), "bury"))
        dead = [process.decode() for process in found]
        for process in dead:
            served = self._key(f"served:{process}")
            watches = await self._link.acall(Command(("SMEMBERS", served)))
            # Each takes its session off the list: what the process, back meanwhile, adds to it has to stay.
            await asyncio.gather(
                *(self.aapply(watch_id.decode(), TabsCounted(process, 0), now) for watch_id in watches)
            )
            await self._link.acall(Command(("ZREM", self._key("burials"), process)))
        return dead

    async def aping(self) -> None:
        # A write: a replica that is read only answers a mere ping.
        await self._link.acall(Command(("SET", self._key("ping"), 1, "PX", 1000)))

    async def aget_all(self, watches: Sequence[str]) -> Sequence[Watched | None]:
        return await self._ado(self._getting_all(watches))

    async def acensus(self) -> Census:
        sizes = await self._link.acall(Command((len(GROUPS), *map(self._group, GROUPS)), "census"))
        return census_of(dict(zip(GROUPS, sizes, strict=True)))

    async def alist(
        self, phase: Phase | None, connected: bool | None, offset: int, limit: int, *, last: bool = False
    ) -> Listing:
        phases = chosen(phase, connected)
        keys = [self._group(group) for groups in phases for group in groups]
        if not keys:
            return Listing(0, [])
        args = (len(keys), *keys, self._prefix, len(phases[0]), offset, limit, int(last))
        total, *found = await self._link.acall(Command(args, "list"))
        return Listing(total, [watched_of(watch_id.decode(), row) for watch_id, row in _pairs(found)])

    async def asample(self, now: float, every: float, keep: float) -> Sample | None:
        keys = (self._key("samples"), self._key("ended"), *map(self._group, GROUPS))
        packed = await self._link.acall(Command((len(keys), *keys, repr(now), repr(every), repr(keep)), "sample"))
        return None if packed is None else sample_of(packed)

    async def asamples(self, after: float = 0.0) -> Sequence[Sample]:
        command = Command(("ZRANGEBYSCORE", self._key("samples"), f"({after!r}", "+inf"))
        return [sample_of(packed) for packed in await self._link.acall(command)]

    def clear(self) -> None:
        for key in self._link.all_keys():
            self._link.call(Command(("UNLINK", key)))

    async def aclose(self) -> None:
        await self._link.aclose()

    def close(self) -> None:
        self._ears.close()
        self._link.close()

    def _do(self, steps: Steps[T]) -> T:
        """Drive an operation from a thread."""
        try:
            command = next(steps)
            while True:
                command = steps.send(self._link.call(command))
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]

    async def _ado(self, steps: Steps[T]) -> T:
        """Drive an operation from an event loop."""
        try:
            command = next(steps)
            while True:
                command = steps.send(await self._link.acall(command))
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]

    def _reading(self, process: str) -> Steps[Reading | None]:
        keys = (2, self._key("correction"), self._key("signs"))
        now, correction, others = yield Command((*keys, process, LIFE), "time")
        return Reading(float(now), float(correction), float(others) if others else None)

    def _getting(self, watch_id: str) -> Steps[Watched | None]:
        row = yield Command(("GET", self._row(watch_id)))
        return None if row is None else watched_of(watch_id, row)

    def _getting_all(self, watches: Sequence[str]) -> Steps[Sequence[Watched | None]]:
        if not watches:
            return []
        rows = yield Command(("MGET", *map(self._row, watches)))
        found = zip(watches, rows, strict=True)
        return [None if row is None else watched_of(watch_id, row) for watch_id, row in found]

    def _opening(self, watched: Watched, now: float) -> Steps[Watched]:
        present = yield from self._getting(watched.id)
        while present is None:
            present = (yield from self._writing(None, transitions.opened(watched, now), now)).stands
        return present

    def _restarting(self, watched: Watched, now: float) -> Steps[Watched]:
        present = yield from self._getting(watched.id)
        while True:
            new = transitions.opened(watched, now) if present is None else transitions.restarted(present, watched, now)
            if new is present:
                return new
            done, present = yield from self._writing(present, new, now, mode="rekey")
            if done and present is not None:
                return present

    def _applying(self, watch_id: str, event: Event, now: float) -> Steps[Watched | None]:
        present = yield from self._touching(watch_id, event, now)
        while present is not None:
            new = transitions.after(event, present, now)
            if new is present:
                return new
            done, present = yield from self._writing(present, new, now, event=event)
            if done:
                return present
        return None

    def _touching(self, watch_id: str, event: Event, now: float) -> Steps[Watched | None]:
        """Read a watch; mere activity is credited by the same step, where that is all it means."""
        if not isinstance(event, Acted | Requested):
            return (yield from self._getting(watch_id))
        moment = min(now, now - event.ago) if isinstance(event, Acted) else now
        row = yield Command((1, self._row(watch_id), self._prefix, watch_id, repr(now), repr(moment)), "touch")
        return None if row is None else watched_of(watch_id, row)

    def _ending(self, watch_id: str, reason: Reason, now: float) -> Steps[Watched]:
        present = yield from self._getting(watch_id)
        while True:
            new = transitions.ended(present or transitions.unknown(watch_id, now), reason, now)
            if new is present:
                return new
            done, present = yield from self._writing(present, new, now)
            if done and present is not None:
                return present

    def _writing(
        self, old: Watched | None, new: Watched, now: float, *, mode: str = "write", event: Event | None = None
    ) -> Steps[Written]:
        """Put `new` in the place of `old`, unless something else came first."""
        version = "" if old is None else old.version
        row = row_of(new, now, secrets.randbits(53))
        args: list[object] = [1, self._row(new.id), *self._signed, new.id, repr(now), mode, version, row]
        args.append(repr(deadline_of(new)))
        if new.activity.ended is not None:
            # Nobody counts the tabs of a session that ended.
            for process in new.activity.tabs:
                args += [process, "out"]
        elif isinstance(event, TabOpened | TabClosed | TabsCounted):
            args += [event.process, "in" if event.process in new.activity.tabs else "out"]
        answer = yield Command(tuple(args), "write")
        if len(answer) == 1:
            return Written(False, None)
        done, row, moments = answer
        for due, at in zip((Due.PUSH, Due.RECORD, Due.CHECK), moments, strict=True):
            self._ears.hear(due, float(at))
        return Written(bool(done), watched_of(new.id, row))

    def _key(self, name: str) -> str:
        return f"{self._prefix}{name}"

    def _row(self, watch_id: str) -> str:
        return self._key(f"watch:{watch_id}")

    def _group(self, group: Group) -> str:
        return self._key(f"live:{group.phase}:{'connected' if group.connected else 'unconnected'}")

    def _list(self, due: Due) -> str:
        return self._key(f"due:{due.value}")


def _pairs(found: Sequence[bytes]) -> Iterable[tuple[bytes, bytes]]:
    """Return what an answer has in turns, watches and rows."""
    return zip(found[::2], found[1::2], strict=True)
