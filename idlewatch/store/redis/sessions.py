"""The facts of sessions in Redis.

What an event means is decided here by pure functions; a script is one atomic step, a compare-and-set mostly. Within a
process the writers of one session take turns, and events that come meanwhile are written together; between processes
a lost race is tried again, a bounded number of times.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from idlewatch.core.activity import Reason
from idlewatch.core.events import Acted, Event, Requested, TabClosed, TabOpened, TabsCounted
from idlewatch.exceptions import HeldBack, HoldRefused, TooManyTabs, Undecided
from idlewatch.store import transitions
from idlewatch.store.base import SessionStore
from idlewatch.store.listing import deadline_of
from idlewatch.store.redis.client import Client
from idlewatch.store.redis.codec import row_of, watched_of
from idlewatch.store.redis.commands import Command, Pause, Steps, script
from idlewatch.store.redis.keys import Keys
from idlewatch.store.redis.pubsub import WakeupListener
from idlewatch.store.turns import Batches, Turns
from idlewatch.store.values import Due, Watched

PROMPT_RACES = 3
"""Races that a write may lose against other processes before it reserves the session for itself."""
MAX_TRIES = 40
"""Tries after which it gives up: the error then concerns only the session that so many write at once."""
RESERVATION = 200
"""Milliseconds for which a session is reserved at most: a writer may die meanwhile."""
PAUSES = (0.002, 0.01)
"""Seconds, from and to, between two tries; all of them take longer than a reservation that a dead writer left."""


class _Change(NamedTuple):
    """An event that has to be written."""

    event: Event
    now: float
    present: Watched | None
    """The session as the event found it, if it was read."""


class _Race:
    """The tries of one write."""

    def __init__(self, tries: int = 0) -> None:
        self.tries = tries
        self.token = ""
        """Of its reservation; empty if it has none."""


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
        self._turns = Turns()
        self._batches = Batches(self._aapply_all)
        # Processes differ in their pauses, or they would meet again.
        self._random = Random(client.name)  # noqa: S311 - no secret

    def get(self, watch_id: str) -> Watched | None:
        return self._client.run(self._get(watch_id))

    def get_many(self, watch_ids: Sequence[str]) -> Sequence[Watched | None]:
        return self._client.run(self._get_many(watch_ids))

    def open(self, watched: Watched, now: float) -> Watched:
        return self._client.run(self._open(watched, now))

    def restart(self, watched: Watched, now: float) -> Watched:
        with self._turns.taking(watched.id):
            return self._client.run(self._replace(watched, now, transitions.restarted))

    def transfer(self, watched: Watched, now: float) -> Watched:
        with self._turns.taking(watched.id):
            return self._client.run(self._replace(watched, now, transitions.transferred))

    def apply(self, watch_id: str, event: Event, now: float) -> Watched | None:
        change = self._client.run(self._touch(watch_id, event, now))
        if not isinstance(change, _Change):
            return change
        with self._turns.taking(watch_id):
            (outcome,) = self._client.run(self._apply_all(watch_id, [change]))
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def bind(self, watch_id: str, key: str) -> None:
        self._client.call(script("bind", [self._keys.row(watch_id)], [key]))

    def end(self, watch_id: str, reason: Reason | None, now: float, *, limits_first: bool = True) -> Watched:
        with self._turns.taking(watch_id):
            return self._client.run(self._end(watch_id, reason, now, limits_first))

    async def aget(self, watch_id: str) -> Watched | None:
        return await self._client.arun(self._get(watch_id))

    async def aget_many(self, watch_ids: Sequence[str]) -> Sequence[Watched | None]:
        return await self._client.arun(self._get_many(watch_ids))

    async def aopen(self, watched: Watched, now: float) -> Watched:
        return await self._client.arun(self._open(watched, now))

    async def aapply(self, watch_id: str, event: Event, now: float) -> Watched | None:
        change = await self._client.arun(self._touch(watch_id, event, now))
        return await self._batches.add(watch_id, change) if isinstance(change, _Change) else change

    async def aend(self, watch_id: str, reason: Reason | None, now: float, *, limits_first: bool = True) -> Watched:
        return await self._client.arun(self._end(watch_id, reason, now, limits_first))

    def _get(self, watch_id: str) -> Steps[Watched | None]:
        row = yield script("get", [self._keys.row(watch_id)], [self._keys.prefix])
        return (yield from self._read(watch_id, row))

    def _read(self, watch_id: str, row: bytes | None) -> Steps[Watched | None]:
        """Read a row; one that can't be read is removed, so that the session is resumed from its record."""
        if row is None:
            return None
        watched = self._client.decoded(watched_of, watch_id, row)
        if watched is None:
            yield script("discard", [self._keys.row(watch_id)], [self._keys.prefix, watch_id, row])
        return watched

    def _get_many(self, watch_ids: Sequence[str]) -> Steps[Sequence[Watched | None]]:
        if not watch_ids:
            return []
        rows = yield Command("MGET", [self._keys.row(watch_id) for watch_id in watch_ids])
        found = zip(watch_ids, rows, strict=True)
        return [None if row is None else self._client.decoded(watched_of, watch_id, row) for watch_id, row in found]

    def _open(self, watched: Watched, now: float) -> Steps[Watched]:
        present, race = (yield from self._get(watched.id)), _Race()
        while present is None:
            done, present = yield from self._write(None, transitions.opened(watched, now), now, race)
            if not done and present is None:
                present = yield from self._lose(race, watched.id, present)
        return present

    def _replace(self, watched: Watched, now: float, change: transitions.Replacement) -> Steps[Watched]:
        present, race = (yield from self._get(watched.id)), _Race()
        while True:
            new = transitions.opened(watched, now) if present is None else change(present, watched, now)
            if new is present:
                return new
            done, present = yield from self._write(present, new, now, race, mode="rekey")
            if done and present is not None:
                return present
            present = yield from self._lose(race, watched.id, present)

    async def _aapply_all(self, watch_id: str, changes: Sequence[_Change]) -> Sequence[Watched | Exception | None]:
        return await self._client.arun(self._apply_all(watch_id, changes))

    def _apply_all(self, watch_id: str, changes: Sequence[_Change]) -> Steps[Sequence[Watched | Exception | None]]:
        """Apply events in one write; return for each the session as it is then, or why the event was refused."""
        present, race = changes[0].present if len(changes) == 1 else None, _Race()
        if present is None:
            present = yield from self._get(watch_id)
        while present is not None:
            new, refusals = _after_all(changes, present)
            done = new is present
            if not done:
                now, events = max(change.now for change in changes), [change.event for change in changes]
                try:
                    done, present = yield from self._write(present, new, now, race, events=events)
                except HeldBack as error:
                    return (yield from self._apply_each(watch_id, changes, error))
            if done:
                return [refusal or present for refusal in refusals]
            if present is not None:
                present = yield from self._lose(race, watch_id, present)
        return [None] * len(changes)

    def _apply_each(
        self, watch_id: str, changes: Sequence[_Change], error: HeldBack
    ) -> Steps[Sequence[Watched | Exception | None]]:
        """Apply events one by one after an end by one of them was held back: another may report activity."""
        if len(changes) == 1:
            return [error]
        outcomes: list[Watched | Exception | None] = []
        for change in changes:
            outcomes += yield from self._apply_all(watch_id, [change._replace(present=None)])
        return outcomes

    def _touch(self, watch_id: str, event: Event, now: float) -> Steps[Watched | _Change | None]:
        """Credit activity that changes nothing else; return the session, or the change to write if there is more.

        Return None if the session is unknown.
        """
        if not isinstance(event, Acted | Requested):
            return _Change(event, now, None)
        moment = min(now, now - event.ago) if isinstance(event, Acted) else now
        args = [self._keys.prefix, watch_id, repr(now), repr(moment)]
        row = yield script("touch", [self._keys.row(watch_id)], args)
        present = yield from self._read(watch_id, row)
        if present is None:
            return None
        return present if transitions.after(event, present, now) is present else _Change(event, now, present)

    def _end(self, watch_id: str, reason: Reason | None, now: float, limits_first: bool) -> Steps[Watched]:
        present, race = (yield from self._get(watch_id)), _Race()
        while True:
            if present is None:
                new = transitions.tombstone(watch_id, reason, now)
            else:
                new = transitions.ended(present, reason, now, limits_first=limits_first)
            if new is present:
                return new
            done, present = yield from self._write(present, new, now, race, mode="end")
            if done and present is not None:
                return present
            present = yield from self._lose(race, watch_id, present)

    def _lose(self, race: _Race, watch_id: str, present: Watched | None) -> Steps[Watched | None]:
        """Return the session to try again with: as it is now, after some tries reserved for this write.

        Raises:
            Undecided: it can't be reserved, since too many others write the session.
        """
        race.tries += 1
        if race.tries < PROMPT_RACES:
            return present
        while True:
            race.token = secrets.token_hex(8)
            keys = [self._keys.row(watch_id), self._keys.other(f"turn:{watch_id}")]
            is_reserved, *row = yield script("reserve", keys, [race.token, RESERVATION])
            if is_reserved:
                return (yield from self._read(watch_id, row[0] if row else None))
            race.tries += 1
            if race.tries >= MAX_TRIES:
                raise Undecided("Too many processes change the session at once; retry.")
            yield Pause(self._random.uniform(*PAUSES))

    def _write(
        self,
        old: Watched | None,
        new: Watched,
        now: float,
        race: _Race,
        *,
        mode: str = "write",
        events: Sequence[Event] = (),
    ) -> Steps[_Written]:
        """Replace `old` by `new`, unless something else changed it first.

        Raises:
            HeldBack: it would end the session by the clock.
        """
        version = "" if old is None else old.version
        args = [self._keys.prefix, self._client.name, new.id, repr(now), mode, version, *row_args(new, now), race.token]
        for process, is_served in served_by(new, events):
            args += [process, "in" if is_served else "out"]
        answer = yield script("write", [self._keys.row(new.id)], args)
        if len(answer) == 1:
            return _Written(False, None)
        done, row, moments, is_held_back = answer
        if is_held_back:
            raise HeldBack
        for due, at in zip((Due.PUSH, Due.RECORD, Due.CHECK), moments, strict=True):
            self._wakeups.notify(due, float(at))
        return _Written(bool(done), (yield from self._read(new.id, row)))


def row_args(watched: Watched, now: float) -> list[object]:
    """Return the row of a session and its deadline, as the scripts take them.

    The row has a random mark, by which a write is recognized that is sent again because its answer was lost.
    """
    return [row_of(watched, now, secrets.randbits(53)), repr(deadline_of(watched))]


def served_by(watched: Watched, events: Sequence[Event] = ()) -> Sequence[tuple[str, bool]]:
    """Return the processes of which events changed whether they have tabs of a session open."""
    if watched.activity.ended is not None:
        # The tabs of a session that ended are not counted.
        return [(process, False) for process in watched.activity.tabs]
    processes = {event.process for event in events if isinstance(event, TabOpened | TabClosed | TabsCounted)}
    return [(process, process in watched.activity.tabs) for process in processes]


def _after_all(changes: Sequence[_Change], present: Watched) -> tuple[Watched, Sequence[Exception | None]]:
    """Return a session after events, and for each why it was refused, if it was."""
    refusals: list[Exception | None] = []
    for change in changes:
        try:
            present = transitions.after(change.event, present, change.now)
        except (HoldRefused, TooManyTabs) as refusal:
            refusals.append(refusal)
        else:
            refusals.append(None)
    return present, refusals
