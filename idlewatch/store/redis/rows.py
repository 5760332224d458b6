"""The rows of sessions in Redis: each is read, and replaced by a compare-and-set.

Between processes a lost race is tried again, a bounded number of times.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from msgspec import msgpack

from idlewatch.core.events import COUNTING, Event
from idlewatch.core.policy import Verdict
from idlewatch.exceptions import HeldBack, Undecided
from idlewatch.store.redis.client import Client
from idlewatch.store.redis.codec import is_plain, opening_of, row_of, watched_of
from idlewatch.store.redis.commands import Command, Pause, Steps, script
from idlewatch.store.redis.keys import Keys
from idlewatch.store.redis.pubsub import WakeupListener
from idlewatch.store.values import Due, Touch, Watched

PROMPT_RACES = 3
"""Races that a write may lose against other processes before it reserves the session for itself."""
MAX_TRIES = 40
"""Tries after which it gives up: the error then concerns only the session that so many write at once."""
TOUCH = struct.Struct("<2d")
"""When a touch was received, and when the user acted."""
RESERVATION = 200
"""Milliseconds for which a session is reserved at most: a writer may die meanwhile."""
PAUSES = (0.002, 0.01)
"""Seconds, from and to, between two tries; all of them take longer than a reservation that a dead writer left."""


class Race:
    """The tries of one write."""

    def __init__(self, tries: int = 0) -> None:
        self.tries = tries
        self.token = ""
        """Of its reservation; empty if it has none."""


class Write(NamedTuple):
    """A compare-and-set of one session."""

    old: Watched | None
    new: Watched
    now: float
    events: Sequence[Event] = ()
    """What turns `old` into `new`."""
    token: str = ""
    """Of its reservation; empty if it has none."""
    verdict: Verdict | None = None
    """That on `new`, if it is known."""

    def __repr__(self) -> str:
        return f"<Write {self.new!r}>"


class Written(NamedTuple):
    """The outcome of a compare-and-set."""

    done: bool
    present: bytes | Watched | None
    """The session as it is now: its row, where that is not the new one."""
    is_held_back: bool = False
    """Whether it was not done because it would end the session by the clock, which may end nothing yet."""

    def __repr__(self) -> str:
        # The generated one would show the row, and with it the session key.
        return f"<Written {self.done}>"


class Rows:
    """Reads and replaces the row of each session."""

    def __init__(self, client: Client, wakeups: WakeupListener) -> None:
        self._client = client
        self._keys = Keys(client.prefix)
        self._wakeups = wakeups
        self.leaves_ends = False
        """Whether only the mode `end` ends what is over by the clock."""
        # Processes differ in their pauses, or they would meet again.
        self._random = Random(client.name)  # noqa: S311 - no secret

    def get(self, watch_id: str) -> Steps[Watched | None]:
        """Return a session; None if it is unknown."""
        (row,) = yield script("get", [self._keys.row(watch_id)], [self._keys.prefix])
        return (yield from self._read(watch_id, row))

    def read_all(self, watch_ids: Sequence[str]) -> Steps[Sequence[Watched | None]]:
        """As `get_many`, but refused by a server that may lack the latest writes: what is written next rests on it."""
        rows = yield script("get", [self._keys.row(watch_id) for watch_id in watch_ids], [self._keys.prefix])
        return self._decoded(watch_ids, rows)

    def get_many(self, watch_ids: Sequence[str]) -> Steps[Sequence[Watched | None]]:
        """Return several sessions in the order of their ids, with None for each that is unknown."""
        if not watch_ids:
            return []
        rows = yield Command("MGET", [self._keys.row(watch_id) for watch_id in watch_ids])
        return self._decoded(watch_ids, rows)

    def touch(self, watch_id: str, now: float, moment: float) -> Steps[tuple[Watched | None, bool]]:
        """Credit activity at `moment` where nothing else changes by it.

        Return the session, None if it is unknown, and whether that is all.
        """
        args = [self._keys.prefix, watch_id, TOUCH.pack(now, moment)]
        found: Sequence[bytes] | None = yield script("touch", [self._keys.row(watch_id)], args)
        if found is None:
            return None, False
        start, former = found
        row = start + former[len(start) :]
        present = self._client.decoded(watched_of, watch_id, row)
        if present is None:
            # Hardly ever: one generator less for the others.
            return (yield from self._read(watch_id, row)), False
        return present, is_plain(row, now)

    def touch_all(self, touches: Sequence[Touch], process: str) -> Steps[Sequence[int]]:
        """Credit activity to many sessions; return the places of those for which there is more to do."""
        moments = struct.pack(f"<{2 * len(touches)}d", *(at for touch in touches for at in (touch.now, touch.moment)))
        args = [self._keys.prefix, moments, *(touch.watch_id for touch in touches)]
        left: Sequence[int] = yield script("touch_all", [self._keys.served(process)], args)
        return left

    def write(
        self,
        old: Watched | None,
        new: Watched,
        now: float,
        race: Race,
        *,
        mode: str = "write",
        events: Sequence[Event] = (),
    ) -> Steps[tuple[bool, Watched | None]]:
        """Replace `old` by `new`, unless something else changed it first; return whether it did, and what is there now.

        Raises:
            HeldBack: it would end the session by the clock, which is held back, or left to the mode `end`.
        """
        if mode != "end" and self.leaves(old, new):
            raise HeldBack
        (written,) = yield from self.write_all([Write(old, new, now, events, race.token)], mode)
        if written.is_held_back:
            raise HeldBack
        return written.done, (yield from self.present(new.id, written))

    def present(self, watch_id: str, written: Written) -> Steps[Watched | None]:
        """Return a session as it is after a compare-and-set."""
        present = written.present
        return (yield from self._read(watch_id, present)) if isinstance(present, bytes) else present

    def leaves(self, old: Watched | None, new: Watched) -> bool:
        """Return whether `new` ends a live `old` by the clock, which is left to the mode `end`."""
        return self.leaves_ends and old is not None and old.activity.ended is None and new.activity.ended is not None

    def write_all(self, writes: Sequence[Write], mode: str = "write") -> Steps[Sequence[Written]]:
        """Compare and set several sessions, each by itself."""
        packed, rows = [], list[bytes]()
        # A random mark in its row identifies a write that is sent again because its answer was lost.
        mark = secrets.randbits(52)
        for old, new, now, events, token, verdict in writes:
            version = "" if old is None else old.version
            row, deadline = row_of(new, now, mark + len(rows), verdict, is_new=old is None)
            packed.append((new.id, now, version, deadline, token, _served_words(new, events)))
            rows.append(row)
        args = [self._keys.prefix, self._client.name, mode, msgpack.encode(packed), *rows]
        push_at, record_at, check_at, *answers = yield script("write", [self._keys.due(Due.PUSH)], args)
        for due, at in ((Due.PUSH, push_at), (Due.RECORD, record_at), (Due.CHECK, check_at)):
            self._wakeups.notify(due, float(at))
        outcomes = zip(writes, answers[::2], answers[1::2], strict=True)
        return [Written(done == 1, row if row != b"" else write.new, done < 0) for write, done, row in outcomes]

    def open_all(self, opened: Sequence[Watched], now: float) -> Steps[Sequence[str]]:
        """Keep live sessions that no process has tabs of, each unless there is a row of it; return the ids of those."""
        if not opened:
            return []
        packed = msgpack.encode([opening_of(watched, now) for watched in opened])
        args = [self._keys.prefix, self._client.name, packed]
        push_at, check_at, *known = yield script("open", [self._keys.due(Due.PUSH)], args)
        for due, at in ((Due.PUSH, push_at), (Due.CHECK, check_at)):
            self._wakeups.notify(due, float(at))
        return [opened[place - 1].id for place in known]

    def lose(self, race: Race, watch_id: str, present: Watched | None) -> Steps[Watched | None]:
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

    def _decoded(self, watch_ids: Sequence[str], rows: Sequence[bytes | None]) -> Sequence[Watched | None]:
        found = zip(watch_ids, rows, strict=True)
        return [None if row is None else self._client.decoded(watched_of, watch_id, row) for watch_id, row in found]

    def _read(self, watch_id: str, row: bytes | None) -> Steps[Watched | None]:
        """Read a row; one that can't be read is removed, so that the session is resumed from its record."""
        if row is None:
            return None
        watched = self._client.decoded(watched_of, watch_id, row)
        if watched is None:
            yield script("discard", [self._keys.row(watch_id)], [self._keys.prefix, watch_id, row])
        return watched


def _served_words(watched: Watched, events: Sequence[Event]) -> Sequence[str]:
    """Return what `scripts/write.lua` takes of a session's tabs.

    That is the name of each process of which events changed whether it has any open, each followed by "in" or "out".
    """
    tabs = watched.activity.tabs
    if watched.activity.ended is not None:
        # The tabs of a session that ended are not counted.
        return [word for process in tabs for word in (process, "out")]
    if not events:
        return ()
    processes = {event.process for event in events if isinstance(event, COUNTING)}
    return [word for process in processes for word in (process, "in" if process in tabs else "out")]
