"""The facts of sessions in Redis.

What an event means is decided here by pure functions; a script is one atomic step, a compare-and-set mostly. Within a
process the writers of one session take turns, and events that come meanwhile are written together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from idlewatch.core.activity import Reason
from idlewatch.core.events import CREDITING, Acted, Event, Requested
from idlewatch.exceptions import HeldBack, HoldRefused, StoreUnavailable, TooManyTabs
from idlewatch.store import transitions
from idlewatch.store.base import CHANGE_BATCH, SessionStore
from idlewatch.store.batches import Batches
from idlewatch.store.redis.client import Client
from idlewatch.store.redis.commands import Steps, script
from idlewatch.store.redis.keys import Keys
from idlewatch.store.redis.pipeline import MAX_COMMANDS
from idlewatch.store.redis.pubsub import WakeupListener
from idlewatch.store.redis.rows import Race, Rows, Write
from idlewatch.store.turns import Turns
from idlewatch.store.values import Touch, Watched


class _Change(NamedTuple):
    """An event that has to be written."""

    event: Event
    now: float
    present: Watched | None
    """The session as the event found it, if it was read."""


_Outcomes = Sequence[Watched | Exception | None]
"""What became of the events to one session: the session after them, or why an event was refused."""


class RedisSessions(SessionStore):
    """Keeps a row for each session."""

    def __init__(self, client: Client, wakeups: WakeupListener) -> None:
        self._client = client
        self._keys = Keys(client.prefix)
        self._rows = Rows(client, wakeups)
        self._turns = Turns()
        self._together = Batches(self._aapply_together, MAX_COMMANDS)
        self._batches = Batches(self._aapply_all)
        """Of each session by itself, where the others need not wait for it."""

    def leave_ends(self) -> None:
        """Let only `end` end what is over by the clock."""
        self._rows.leaves_ends = True

    def get(self, watch_id: str) -> Watched | None:
        return self._client.run(self._rows.get(watch_id))

    def get_many(self, watch_ids: Sequence[str]) -> Sequence[Watched | None]:
        return self._client.run(self._rows.get_many(watch_ids))

    def open(self, watched: Watched, now: float) -> Watched:
        return self._client.run(self._open(watched, now))

    def open_many(self, sessions: Sequence[Watched], now: float) -> Collection[str]:
        return {watch_id for steps in self._opens(sessions, now) for watch_id in self._client.run(steps)}

    def restart(self, watched: Watched, now: float) -> Watched:
        with self._turns.taking(watched.id):
            return self._client.run(self._replace(watched, now, transitions.restarted))

    def transfer(self, watched: Watched, now: float) -> Watched:
        with self._turns.taking(watched.id):
            return self._client.run(self._replace(watched, now, transitions.transferred))

    def apply(self, watch_id: str, event: Event, now: float) -> Watched | None:
        present = None
        if isinstance(event, CREDITING):
            present, is_done = self._client.run(self._rows.touch(watch_id, now, _moment_of(event, now)))
            if is_done or present is None or transitions.after(event, present, now) is present:
                return present
        change = _Change(event, now, present)
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
        return await self._client.arun(self._rows.get(watch_id))

    async def aget_many(self, watch_ids: Sequence[str]) -> Sequence[Watched | None]:
        return await self._client.arun(self._rows.get_many(watch_ids))

    async def aopen(self, watched: Watched, now: float) -> Watched:
        return await self._client.arun(self._open(watched, now))

    async def aopen_many(self, sessions: Sequence[Watched], now: float) -> Collection[str]:
        return set(chain.from_iterable(await asyncio.gather(*map(self._client.arun, self._opens(sessions, now)))))

    async def aapply(self, watch_id: str, event: Event, now: float) -> Watched | None:
        present = None
        if isinstance(event, CREDITING):
            present, is_done = await self._client.arun(self._rows.touch(watch_id, now, _moment_of(event, now)))
            if is_done or present is None or transitions.after(event, present, now) is present:
                return present
        change = _Change(event, now, present)
        outcome = await self._together.put("", (watch_id, change))
        return await outcome if isinstance(outcome, asyncio.Future) else outcome

    async def acredit(self, touches: Sequence[Touch], process: str) -> Collection[int]:
        starts = range(0, len(touches), CHANGE_BATCH)
        calls = (self._client.arun(self._rows.touch_all(touches[at : at + CHANGE_BATCH], process)) for at in starts)
        answers = zip(starts, await asyncio.gather(*calls), strict=True)
        return {at + place for at, left in answers for place in left}

    async def aend(self, watch_id: str, reason: Reason | None, now: float, *, limits_first: bool = True) -> Watched:
        return await self._client.arun(self._end(watch_id, reason, now, limits_first))

    def _open(self, watched: Watched, now: float) -> Steps[Watched]:
        return self._change(watched.id, lambda present: present or transitions.opened(watched, now), now, "write")

    def _opens(self, sessions: Sequence[Watched], now: float) -> Iterator[Steps[Sequence[str]]]:
        for at in range(0, len(sessions), CHANGE_BATCH):
            opened = [transitions.opened(watched, now) for watched in sessions[at : at + CHANGE_BATCH]]
            yield self._rows.open_all([watched for watched in opened if watched.activity.ended is None], now)
            if ended := [Write(None, watched, now) for watched in opened if watched.activity.ended is not None]:
                yield self._open_ended(ended)

    def _open_ended(self, writes: Sequence[Write]) -> Steps[Sequence[str]]:
        written = yield from self._rows.write_all(writes)
        return [write.new.id for write, outcome in zip(writes, written, strict=True) if not outcome.done]

    def _replace(self, watched: Watched, now: float, replaced: transitions.Replacement) -> Steps[Watched]:
        def change(present: Watched | None) -> Watched:
            return transitions.opened(watched, now) if present is None else replaced(present, watched, now)

        return self._change(watched.id, change, now, "rekey")

    def _end(self, watch_id: str, reason: Reason | None, now: float, limits_first: bool) -> Steps[Watched]:
        def change(present: Watched | None) -> Watched:
            if present is None:
                return transitions.tombstone(watch_id, reason, now)
            return transitions.ended(present, reason, now, limits_first=limits_first)

        return self._change(watch_id, change, now, "end")

    def _change(
        self, watch_id: str, change: Callable[[Watched | None], Watched], now: float, mode: str
    ) -> Steps[Watched]:
        """Replace a session, or None, by what `change` makes of it; return the session as it is then."""
        present, race = (yield from self._rows.get(watch_id)), Race()
        while True:
            new = change(present)
            if new is present:
                return new
            done, present = yield from self._rows.write(present, new, now, race, mode=mode)
            if done and present is not None:
                return present
            present = yield from self._rows.lose(race, watch_id, present)

    async def _aapply_together(
        self, _: str, changes: Sequence[tuple[str, _Change]]
    ) -> Sequence[Watched | asyncio.Future[Watched | None] | Exception | None]:
        """Apply events to many sessions in one write.

        Return for each what `_apply_all` does. A session that is to be changed by itself has the future of that: its
        later events line up behind it, in the order in which they come here.
        """
        by_session: dict[str, list[_Change]] = {}
        for watch_id, change in changes:
            if watch_id not in self._batches:
                by_session.setdefault(watch_id, []).append(change)
        sessions = list(by_session.items())
        parts = [dict(sessions[start : start + CHANGE_BATCH]) for start in range(0, len(sessions), CHANGE_BATCH)]
        # They travel together; Redis serves others between them.
        outcomes = await asyncio.gather(*map(self._aapply_part, parts))
        in_order = {watch_id: iter(each) for part in outcomes for watch_id, each in part.items()}
        return [
            next(in_order[watch_id]) if watch_id in in_order else self._line_up(watch_id, change)
            for watch_id, change in changes
        ]

    def _line_up(self, watch_id: str, change: _Change) -> asyncio.Future[Watched | None]:
        """Have an event applied by itself."""
        outcome = self._batches.put(watch_id, change)
        # Its caller may be gone: the event loop would log an error that no caller takes.
        outcome.add_done_callback(lambda done: done.cancelled() or done.exception())
        return outcome

    async def _aapply_part(self, by_session: Mapping[str, Sequence[_Change]]) -> dict[str, _Outcomes]:
        try:
            return await self._client.arun(self._apply_together(by_session))
        except StoreUnavailable as error:
            return {watch_id: [error] * len(changes) for watch_id, changes in by_session.items()}
        except Exception:  # noqa: BLE001 - it is raised again for the one session that it concerns
            return {}

    def _apply_together(self, by_session: Mapping[str, Sequence[_Change]]) -> Steps[dict[str, _Outcomes]]:
        """Apply events in one write; leave out the sessions that are to be changed by themselves.

        Those are not there, or another process was first, or their end is held back.
        """
        outcomes: dict[str, _Outcomes] = {}
        writes, refused = [], []
        found = yield from self._rows.read_all(list(by_session))
        for (watch_id, changes), present in zip(by_session.items(), found, strict=True):
            if present is None:
                continue
            new, refusals = _after_all(changes, present)
            if new is present:
                outcomes[watch_id] = [refusal or present for refusal in refusals]
            elif not self._rows.leaves(present, new):
                now, events = max(change.now for change in changes), [change.event for change in changes]
                writes.append(Write(present, new, now, events))
                refused.append(refusals)
        written = (yield from self._rows.write_all(writes)) if writes else ()
        for write, outcome, refusals in zip(writes, written, refused, strict=True):
            if outcome.done:
                after = outcome.present
                if isinstance(after, bytes):
                    # Hardly ever: one generator less for the others.
                    after = yield from self._rows.present(write.new.id, outcome)
                outcomes[write.new.id] = [refusal or after for refusal in refusals]
        return outcomes

    async def _aapply_all(self, watch_id: str, changes: Sequence[_Change]) -> _Outcomes:
        return await self._client.arun(self._apply_all(watch_id, changes))

    def _apply_all(self, watch_id: str, changes: Sequence[_Change]) -> Steps[_Outcomes]:
        """Apply events in one write; return for each the session as it is then, or why the event was refused."""
        present, race = changes[0].present if len(changes) == 1 else None, Race()
        if present is None:
            present = yield from self._rows.get(watch_id)
        while present is not None:
            new, refusals = _after_all(changes, present)
            done = new is present
            if not done:
                now, events = max(change.now for change in changes), [change.event for change in changes]
                try:
                    done, present = yield from self._rows.write(present, new, now, race, events=events)
                except HeldBack as error:
                    return (yield from self._apply_each(watch_id, changes, error))
            if done:
                return [refusal or present for refusal in refusals]
            if present is not None:
                present = yield from self._rows.lose(race, watch_id, present)
        return [None] * len(changes)

    def _apply_each(self, watch_id: str, changes: Sequence[_Change], error: HeldBack) -> Steps[_Outcomes]:
        """Apply events one by one after an end by one of them was held back: another may report activity."""
        if len(changes) == 1:
            return [error]
        outcomes: list[Watched | Exception | None] = []
        for change in changes:
            outcomes += yield from self._apply_all(watch_id, [change._replace(present=None)])
        return outcomes


def _moment_of(event: Acted | Requested, now: float) -> float:
    """Return the moment that an event credits."""
    return min(now, now - event.ago) if type(event) is Acted else now


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
