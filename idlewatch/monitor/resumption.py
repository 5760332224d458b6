"""Resumption of sessions from their records, in a store that has lost data or has none yet."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec

from idlewatch.managers import Place, beyond
from idlewatch.models import WatchedSession
from idlewatch.monitor import records
from idlewatch.monitor.isolation import AWAY, isolated, work_through
from idlewatch.monitor.last_seen import report_of
from idlewatch.monitor.record_rows import MAX_READ, LiveRow, RecordRow, in_parts
from idlewatch.monitor.reports import Reports
from idlewatch.process import Lane, Process, Threads, together
from idlewatch.store.base import Presence, SessionStore
from idlewatch.store.values import Renewal, Share

CLOSED_ORDER = ("ended", "last_active", "pk")
"""The order of an index, in which the records that were closed are read."""
COMMIT_OVERLAP = 5.0
"""Seconds by which the search for what ended meanwhile reaches back: a transaction commits after it took the time."""
PARTS_AT_ONCE = 2
"""Parts of the records that a process resumes at once."""
MAX_PART = 10 * records.BATCH_SIZE
"""Records that a part has at most: it was offered with a batch of them. Without a limit, PostgreSQL takes the first and
the last part for all records, and spends three times as long on compiling the query as on running it."""
PARTS_OFFERED = 10
"""Parts that are offered at once: to find where they begin takes half a millisecond each, and the first are awaited."""


class Batch(NamedTuple):
    """Live records, in the order of their starts."""

    watch_ids: Sequence[str]
    place: Place | None
    """Where the next ones begin; None if these are the last."""


Range = tuple[Place | None, Place | None]
"""The place after which live records begin, and that of the last of them; None: they are the first, or the last."""
_encode_range = msgspec.json.Encoder().encode
_decode_range = msgspec.json.Decoder(Range).decode


class Worker:
    """Resumes the parts of the records that this process takes: all processes share them, where a store lost data."""

    def __init__(self, process: Process, sessions: SessionStore, presence: Presence, created_at: float) -> None:
        self.created_at = created_at
        """When the store was created: this identifies it."""
        self._clock = process.clock
        self._threads = process.threads
        self._sessions = sessions
        self._presence = presence

    async def work(self, now: float, until: float, sharer: str = "") -> Share:
        """Resume parts, begin none after `until`, and return what is left then; `sharer`: as `Presence.take_part`."""
        # The database reads one part, and the store opens another.
        await together(self._work(now, until, sharer) for _ in range(PARTS_AT_ONCE))
        return await self.count(sharer)

    async def count(self, sharer: str) -> Share:
        """Return what is left now; take none of it."""
        return await self._take(sharer, takes=False)

    async def _work(self, now: float, until: float, sharer: str) -> None:
        share = await self._take(sharer)
        while share.part:
            rows = await self._threads.run(Lane.TIMER, _read_part, share.part)
            await self._resume(rows, now)
            share = await self._take(share.sharer, done=share.part, takes=self._clock.now() < until)

    async def _take(self, sharer: str, *, done: str = "", takes: bool = True) -> Share:
        now = self._clock.now()
        return await self._presence.take_part(self.created_at, now, sharer=sharer, done=done, takes=takes)

    async def _resume(self, rows: Sequence[LiveRow], now: float) -> None:
        """Open sessions in the store from their records, and report later activity of those that it has."""
        # Most are unknown: the others are looked up afterwards.
        known = list(await self._open(rows, now))
        found = dict(zip(known, await self._sessions.aget_many(known), strict=True))
        for row in rows:
            present = found.get(row.pk)
            if present is not None and records.is_ahead(row, present, now):
                with isolated("resumption", row.pk):
                    await self._sessions.aapply(row.pk, report_of(records.watched_of(row, now).activity), now)

    async def _open(self, rows: Sequence[LiveRow], now: float) -> Collection[str]:
        """Open sessions from their records; return the ids of those that may have been known."""
        try:
            return await self._sessions.aopen_many([records.watched_of(row, now) for row in rows], now)
        except AWAY:
            raise
        except Exception:  # noqa: BLE001 - it is logged where the one that raises it is found
            for row in rows:
                with isolated("resumption", row.pk):
                    await self._sessions.aopen(records.watched_of(row, now), now)
            return [row.pk for row in rows]


class Resumption:
    """Resumes the records into a shared store that has lost data, in passes.

    One process leads: it offers the records in parts, and sees to it that all are resumed. All processes resume them.
    """

    def __init__(
        self, process: Process, sessions: SessionStore, presence: Presence, reports: Reports, renewal: Renewal
    ) -> None:
        self.created_at = renewal.created_at
        """As that of `Worker`."""
        self.is_complete = False
        self._process = process
        self._presence = presence
        self._reports = reports
        self._worker = Worker(process, sessions, presence, renewal.created_at)
        self._lost_from = renewal.lost_from
        self._has_ends = renewal.lost_from is None
        """Whether the store has the ends that it lost."""
        self._place: Place | None = None
        """Where the records begin that were not offered yet."""
        self._offered = 0
        self._offers_more = True

    async def advance(self, now: float, until: float) -> None:
        """Offer the next records, and resume some; begin no further part after `until`."""
        clock, presence = self._process.clock, self._presence
        if not self._has_ends and self._lost_from is not None:
            # It has an older copy of its data, and may lack ends.
            closed = await self._process.threads.run(Lane.TIMER, closed_since, self._lost_from - COMMIT_OVERLAP)
            await self._reports.end(closed, now)
            self._has_ends = True
        while True:
            await presence.keep_resuming(self.created_at, clock.now())
            await self._offer()
            # While these are resumed, the next ones are offered.
            await together([self._worker.work(now, until, self._process.name), self._offer_more(until)])
            share = await self._worker.count(self._process.name)
            if share.offered < self._offered:
                # It has lost them, too.
                self._place, self._offered, self._offers_more = None, 0, True
            self.is_complete = not self._offers_more and share.done >= self._offered
            if self.is_complete or not self._offers_more or clock.now() >= until:
                return

    async def _offer_more(self, until: float) -> None:
        while self._offers_more and self._process.clock.now() < until:
            await self._offer()

    async def _offer(self) -> None:
        if not self._offers_more:
            return
        places = await self._process.threads.run(Lane.TIMER, _places_after, self._place, PARTS_OFFERED)
        has_more = len(places) == PARTS_OFFERED
        ends = [*places, *([] if has_more else [None])]
        ranges = zip([self._place, *places], ends, strict=False)
        parts = [_encode_range(each).decode() for each in ranges]
        are_first = not self._offered
        await self._presence.offer_parts(self.created_at, self._process.name, parts, are_first=are_first)
        # Only now: where the store does not answer, the next pass offers the same again.
        self._offers_more = has_more
        self._offered += len(parts)
        self._place = places[-1] if places else self._place


async def resume_all(threads: Threads, sessions: SessionStore, now: float) -> None:
    """Resume every live session from its record, batch by batch: between them other work gets its turn."""
    batch = await threads.run(Lane.TIMER, live_after, None)
    await threads.run(Lane.TIMER, resume, sessions, batch.watch_ids, now)
    while batch.place is not None:
        batch = await threads.run(Lane.TIMER, live_after, batch.place)
        await threads.run(Lane.TIMER, resume, sessions, batch.watch_ids, now)


def resume(sessions: SessionStore, watch_ids: Sequence[str], now: float) -> None:
    """Open live sessions in a store from their records, unless it has them."""
    rows = {row.pk: row for row in _read(watch_ids)}
    work_through(
        "resumption", rows, lambda batch: sessions.open_many([records.watched_of(row, now) for row in batch], now)
    )


def live_after(place: Place | None) -> Batch:
    """Return the live records that follow a place, up to a batch of them."""
    rows = WatchedSession.objects.live().started_after(place)
    watch_ids = list(rows.values_list("pk", flat=True)[: records.BATCH_SIZE])
    if len(watch_ids) < records.BATCH_SIZE:
        return Batch(watch_ids, None)
    # Of the last one alone, unless it is deleted just now: to read all their times would take longer than all else.
    places = (WatchedSession.objects.filter(pk=each).values_list("started", "pk") for each in reversed(watch_ids))
    return Batch(watch_ids, next((found[0] for place in places if (found := list(place))), None))


def _places_after(place: Place | None, count: int) -> list[Place]:
    """Return where the next parts of the live records end, up to so many; fewer if less than a part is left then."""
    places = list[Place]()
    while len(places) < count:
        rows = WatchedSession.objects.live().started_after(place).values_list("started", "pk")
        if not (found := list(rows[records.BATCH_SIZE - 1 : records.BATCH_SIZE])):
            break
        place = found[0]
        places.append(place)
    return places


def _read_part(part: str) -> Sequence[LiveRow]:
    after, last = _decode_range(part)
    return records.read_live(WatchedSession.objects.live().started_after(after, last)[:MAX_PART])


def _read(watch_ids: Sequence[str]) -> Sequence[LiveRow]:
    return in_parts(records.read_live, WatchedSession.objects.live(), watch_ids)


def closed_since(moment: float) -> Sequence[RecordRow]:
    """Return the records that were closed since a moment, in batches: after a burst of ends they are many."""
    closed, found = WatchedSession.objects.closed_since(moment), list[RecordRow]()
    if not closed.exists():
        # As in nearly every round: the query below takes three times as long.
        return found
    rest = rows = closed.order_by(*CLOSED_ORDER)
    while batch := records.read(rest[:MAX_READ]):
        found += batch
        rest = rows.filter(beyond(CLOSED_ORDER, [getattr(batch[-1], name) for name in CLOSED_ORDER]))
    return found
