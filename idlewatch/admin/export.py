"""The session history as comma-separated values, in batches: at most one is made ahead of the server.

Daphne keeps what a client does not read yet: its `send` never waits.
"""

from __future__ import annotations

import csv
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime

from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse

from idlewatch.core.clock import in_utc
from idlewatch.core.probes import is_probe
from idlewatch.http.user_agents import device_name
from idlewatch.models import WatchedSession
from idlewatch.process import Lane, in_thread

BATCH_SIZE = 500
"""Records that are read and sent together."""
FORMULA = r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
"""First characters that make a spreadsheet read a cell as a formula (OWASP, CSV injection), also in full width."""
DANGEROUS = re.compile(rf"^(?={FORMULA})|(?<=[;|\t\r\n])(?=\s*{FORMULA})")
"""Where a formula could begin. In locales with a decimal comma a semicolon separates cells, and quotes that are not at
the beginning of a cell do not keep its lines together."""
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
    "impersonator",
    "probe",
)
"""The same in every language, for programs."""


def response(request: HttpRequest, rows: QuerySet[WatchedSession], at: datetime) -> StreamingHttpResponse:
    """Return these records as a file named by the date of `at`."""
    under_asgi = isinstance(request, ASGIRequest)
    return StreamingHttpResponse(
        achunks(rows) if under_asgi else chunks(rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="sessions-{at.astimezone(UTC):%Y-%m-%d}.csv"'},
    )


def chunks(rows: QuerySet[WatchedSession]) -> Iterator[str]:
    """Yield the header, then batches of rows."""
    yield to_csv([COLUMNS])
    batch: list[tuple[object, ...]] = []
    for record in rows.iterator(chunk_size=BATCH_SIZE):
        batch.append(row_of(record))
        if len(batch) == BATCH_SIZE:
            yield to_csv(batch)
            batch = []
    if batch:
        yield to_csv(batch)


async def achunks(rows: QuerySet[WatchedSession]) -> AsyncIterator[str]:
    """Async version of `chunks`. A batch is made in a thread: the event loop has sockets to serve."""
    parts = chunks(rows)
    while part := await in_thread(Lane.REQUEST, _next, parts):
        yield part


def _next(parts: Iterator[str]) -> str:
    """Return the next part, or an empty string after the last: a coroutine can't raise `StopIteration`."""
    return next(parts, "")


def row_of(record: WatchedSession) -> tuple[object, ...]:
    """Return the cells of a record, in the order of `COLUMNS`, without session keys or digests."""
    return (
        escaped(record.pk),
        escaped(record.username),
        escaped(device_name(record.pk, record.user_agent)),
        escaped(record.user_agent),
        escaped(record.address),
        in_utc(record.started),
        in_utc(record.signed_in),
        in_utc(record.last_active),
        "" if record.ended is None else in_utc(record.ended),
        record.reason,
        escaped(record.ended_by_name),
        record.warnings,
        record.extensions,
        round(record.held_seconds, 3),
        escaped(record.impersonator_name),
        str(is_probe(record.pk)).lower(),
    )


def escaped(text: str) -> str:
    """Return a string that no spreadsheet reads as a formula, or as cells with one."""
    return DANGEROUS.sub("'", text)


class _Lines(list[str]):
    """A file-like list for `csv.writer`."""

    write = list.append


def to_csv(rows: Iterable[Iterable[object]]) -> str:
    """Return rows as lines (RFC 4180)."""
    lines = _Lines()
    csv.writer(lines).writerows(rows)
    return "".join(lines)
