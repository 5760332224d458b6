"""The facts of sessions in Redis.

What an event means is decided here by pure functions; a script is one atomic step, a compare-and-set mostly.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import NamedTuple

from idlewatch.core.activity import Reason
from idlewatch.core.events import Acted, Event, Requested, TabClosed, TabOpened, TabsCounted
from idlewatch.store import transitions
from idlewatch.store.base import SessionStore
from idlewatch.store.listing import deadline_of
from idlewatch.store.redis.client import Client
from idlewatch.store.redis.codec import row_of, watched_of
from idlewatch.store.redis.commands import Command, Steps, script
from idlewatch.store.redis.keys import Keys
from idlewatch.store.redis.pubsub import WakeupListener
from idlewatch.store.values import Due, Watched


class _Written(NamedTuple):
    """The outcome of a compare-and-set."""

    done: bool
    present: Watched | None
    """The session as it is now."""


class RedisSessions(SessionStore):
    """Keeps a row for each session."""

    def __init__(self, client: Client, wakeups: WakeupListener) -> None:
        self._client = client
        self._keys = Keys(client.prefix)
        self._wakeups = wakeups

    def get(self, watch_id: str) -> Watched | None:
        return self._client.run(self._get(watch_id))

    def get_many(self, watch_ids: Sequence[str]) -> Sequence[Watched | None]:
        return self._client.run(self._get_many(watch_ids))

    def open(self, watched: Watched, now: float) -> Watched:
        return self._client.run(self._open(watched, now))

    def restart(self, watched: Watched, now: float) -> Watched:
        return self._client.run(self._replace(watched, now, transitions.restarted))

    def transfer(self, watched: Watched, now: float) -> Watched:
        return self._client.run(self._replace(watched, now, transitions.transferred))

    def apply(self, watch_id: str, event: Event, now: float) -> Watched | None:
        return self._client.run(self._apply(watch_id, event, now))

    def bind(self, watch_id: str, key: str) -> None:
        self._client.call(script("bind", [self._keys.row(watch_id)], [key]))

    def end(self, watch_id: str, reason: Reason, now: float) -> Watched:
        return self._client.run(self._end(watch_id, reason, now))

    async def aget(self, watch_id: str) -> Watched | None:
        return await self._client.arun(self._get(watch_id))

    async def aget_many(self, watch_ids: Sequence[str]) -> Sequence[Watched | None]:
        return await self._client.arun(self._get_many(watch_ids))

    async def aopen(self, watched: Watched, now: float) -> Watched:
        return await self._client.arun(self._open(watched, now))

    async def aapply(self, watch_id: str, event: Event, now: float) -> Watched | None:
        return await self._client.arun(self._apply(watch_id, event, now))

    async def aend(self, watch_id: str, reason: Reason, now: float) -> Watched:
        return await self._client.arun(self._end(watch_id, reason, now))

    def _get(self, watch_id: str) -> Steps[Watched | None]:
        row = yield Command("GET", [self._keys.row(watch_id)])
        return None if row is None else watched_of(watch_id, row)

    def _get_many(self, watch_ids: Sequence[str]) -> Steps[Sequence[Watched | None]]:
        if not watch_ids:
            return []
        rows = yield Command("MGET", [self._keys.row(watch_id) for watch_id in watch_ids])
        found = zip(watch_ids, rows, strict=True)
        return [None if row is None else watched_of(watch_id, row) for watch_id, row in found]

    def _open(self, watched: Watched, now: float) -> Steps[Watched]:
        present = yield from self._get(watched.id)
        while present is None:
            present = (yield from self._write(None, transitions.opened(watched, now), now)).present
        return present

    def _replace(self, watched: Watched, now: float, change: transitions.Replacement) -> Steps[Watched]:
        present = yield from self._get(watched.id)
        while True:
            new = transitions.opened(watched, now) if present is None else change(present, watched, now)
            if new is present:
                return new
            done, present = yield from self._write(present, new, now, mode="rekey")
            if done and present is not None:
                return present

    def _apply(self, watch_id: str, event: Event, now: float) -> Steps[Watched | None]:
        present = yield from self._touch(watch_id, event, now)
        while present is not None:
            new = transitions.after(event, present, now)
            if new is present:
                return new
            done, present = yield from self._write(present, new, now, event=event)
            if done:
                return present
        return None

    def _touch(self, watch_id: str, event: Event, now: float) -> Steps[Watched | None]:
        """Read a session; mere activity is credited by the same step, where it changes nothing else."""
        if not isinstance(event, Acted | Requested):
            return (yield from self._get(watch_id))
        moment = min(now, now - event.ago) if isinstance(event, Acted) else now
        args = [self._keys.prefix, watch_id, repr(now), repr(moment)]
        row = yield script("touch", [self._keys.row(watch_id)], args)
        return None if row is None else watched_of(watch_id, row)

    def _end(self, watch_id: str, reason: Reason, now: float) -> Steps[Watched]:
        present = yield from self._get(watch_id)
        while True:
            new = transitions.ended(present or transitions.unknown(watch_id, now), reason, now)
            if new is present:
                return new
            done, present = yield from self._write(present, new, now)
            if done and present is not None:
                return present

    def _write(
        self, old: Watched | None, new: Watched, now: float, *, mode: str = "write", event: Event | None = None
    ) -> Steps[_Written]:
        """Replace `old` by `new`, unless something else changed it first."""
        version = "" if old is None else old.version
        args = [self._keys.prefix, self._client.name, new.id, repr(now), mode, version, *row_args(new, now)]
        for process, is_served in served_by(new, event):
            args += [process, "in" if is_served else "out"]
        answer = yield script("write", [self._keys.row(new.id)], args)
        if len(answer) == 1:
            return _Written(False, None)
        done, row, moments = answer
        for due, at in zip((Due.PUSH, Due.RECORD, Due.CHECK), moments, strict=True):
            self._wakeups.notify(due, float(at))
        return _Written(bool(done), watched_of(new.id, row))


def row_args(watched: Watched, now: float) -> list[object]:
    """Return the row of a session and its deadline, as the scripts take them.

    The row has a random mark, by which a write is recognized that is sent again because its answer was lost.
    """
    return [row_of(watched, now, secrets.randbits(53)), repr(deadline_of(watched))]


def served_by(watched: Watched, event: Event | None = None) -> Sequence[tuple[str, bool]]:
    """Return the processes of which it changed whether they have tabs of a session open."""
    if watched.activity.ended is not None:
        # The tabs of a session that ended are not counted.
        return [(process, False) for process in watched.activity.tabs]
    if isinstance(event, TabOpened | TabClosed | TabsCounted):
        return [(event.process, event.process in watched.activity.tabs)]
    return []
