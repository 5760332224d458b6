"""Records as comma-separated values, a row at a time: however many there are, no more than a batch is in memory."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime

from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse

from idlewatch.devices import device_of
from idlewatch.models import WatchedSession

BATCH = 500
"""Records that are read, and sent, together."""
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What makes spreadsheets take a cell for a formula when it stands first (OWASP, CSV injection), also in full width."""
COLUMNS = (
    "session",
    "user",
    "device",
    "user_agent",
    "address",
    "started",
    "signed_in",
    "last_active",
    "ended",
    "reason",
    "ended_by",
    "warnings",
    "extensions",
    "held_seconds",
)
"""For programs: the same in every language."""


def response(request: HttpRequest, rows: QuerySet[WatchedSession], at: datetime) -> StreamingHttpResponse:
    """Answer with these records as a file; `at` names it."""
    under_asgi = isinstance(request, ASGIRequest)
    return StreamingHttpResponse(
        achunks(rows) if under_asgi else chunks(rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="sessions-{at.astimezone(UTC):%Y-%m-%d}.csv"'},
    )


def chunks(rows: QuerySet[WatchedSession]) -> Iterator[str]:
    """Yield the header, then batches of rows."""
    yield written([COLUMNS])
    batch: list[tuple[object, ...]] = []
    for record in rows.iterator(chunk_size=BATCH):
        batch.append(row_of(record))
        if len(batch) == BATCH:
            yield written(batch)
            batch = []
    yield written(batch)


async def achunks(rows: QuerySet[WatchedSession]) -> AsyncIterator[str]:
    """Twin of `chunks`."""
    yield written([COLUMNS])
    batch: list[tuple[object, ...]] = []
    async for record in rows.aiterator(chunk_size=BATCH):
        batch.append(row_of(record))
        if len(batch) == BATCH:
            yield written(batch)
            batch = []
    yield written(batch)


def row_of(record: WatchedSession) -> tuple[object, ...]:
    """Return the cells of a record, in the order of `COLUMNS`: no key, and no digest of one."""
    return (
        defused(record.pk),
        defused(record.username),
        defused(device_of(record.user_agent)),
        defused(record.user_agent),
        defused(record.address),
        in_utc(record.started),
        in_utc(record.signed_in),
        in_utc(record.last_active),
        in_utc(record.ended),
        record.reason,
        "" if record.ended_by is None else defused(record.ended_by.get_username()),
        record.warnings,
        record.extensions,
        round(record.held_seconds, 3),
    )


def defused(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def in_utc(moment: datetime | None) -> str:
    """Return a moment as ISO 8601 has it, in UTC."""
    return "" if moment is None else moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Lines(list[str]):
    """Takes what a writer writes."""

    write = list.append


def written(rows: Iterable[Iterable[object]]) -> str:
    """Return rows as lines (RFC 4180)."""
    lines = _Lines()
    csv.writer(lines).writerows(rows)
    return "".join(lines)
