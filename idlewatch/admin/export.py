"""Records as comma-separated values, by batches: however many there are, no more than one is made ahead of the server.

What a client does not read yet, Daphne keeps: its `send` never waits.
"""

from __future__ import annotations

import csv
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse

from idlewatch.core.clock import in_utc
from idlewatch.http.user_agents import device_of
from idlewatch.models import WatchedSession

BATCH = 500
"""Records that are read, and sent, together."""
FORMULA = r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
"""What makes spreadsheets take a cell for a formula when it stands first (OWASP, CSV injection), also in full width."""
DANGEROUS = re.compile(rf"^(?={FORMULA})|(?<=[;|\t\r\n])(?=\s*{FORMULA})")
"""Where that would be. Where decimals are written with a comma a semicolon divides cells, and the quotes around a cell,
which are not at its beginning then, keep no line together."""
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
    if batch:
        yield written(batch)


async def achunks(rows: QuerySet[WatchedSession]) -> AsyncIterator[str]:
    """Twin of `chunks`. A batch is made in a thread: the event loop has sockets to serve."""
    parts = chunks(rows)
    while part := await sync_to_async(_next)(parts):
        yield part


def _next(parts: Iterator[str]) -> str:
    """Return the next part; nothing after the last, for no coroutine may raise `StopIteration`."""
    return next(parts, "")


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
        "" if record.ended is None else in_utc(record.ended),
        record.reason,
        defused(record.ended_by_name),
        record.warnings,
        record.extensions,
        round(record.held_seconds, 3),
    )


def defused(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula, nor for cells of which one is."""
    return DANGEROUS.sub("'", text)


class _Lines(list[str]):
    """Takes what a writer writes."""

    write = list.append


def written(rows: Iterable[Iterable[object]]) -> str:
    """Return rows as lines (RFC 4180)."""
    lines = _Lines()
    csv.writer(lines).writerows(rows)
    return "".join(lines)
