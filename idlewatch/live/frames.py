"""The frames to a live page: first all that it shows, then the changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from idlewatch.live.rows import Row
from idlewatch.store.values import Census, Sample

_encoder = msgspec.json.Encoder()


class Snapshot(Struct, frozen=True):
    """The content of a live page."""

    query: int
    operator: str
    """The primary key of the operator, as a string."""
    census: Census
    total: int
    """How many sessions match."""
    bounded: bool
    """Whether there were more candidates than a search examines: more sessions may match."""
    page: int
    pages: int
    rows: Mapping[str, Row]
    """By watch id, in the order shown."""
    samples: Sequence[Sample]
    """The last hour, the oldest first."""


def page_frame(snapshot: Snapshot, number: int, now: float) -> str:
    """Return a frame with all of a snapshot."""
    rows = [row.fields(snapshot.operator) for row in snapshot.rows.values()]
    frame = {"type": "page", "frame": number, "query": snapshot.query, "now": round(now, 3)}
    return _encoder.encode(frame | _head(snapshot) | {"rows": rows, "samples": list(snapshot.samples)}).decode()


def changes_frame(previous: Snapshot, snapshot: Snapshot, number: int, now: float) -> str | None:
    """Return a frame with the changes since a previous snapshot of the same query; None without any."""
    # After the clock was set back, the chart can't continue: send everything again.
    if previous.samples and previous.samples[-1] not in snapshot.samples:
        return page_frame(snapshot, number, now)
    earlier = _head(previous)
    changes = {name: value for name, value in _head(snapshot).items() if value != earlier[name]}
    if (order := list(snapshot.rows)) != list(previous.rows):
        changes["order"] = order
    if rows := _changed_rows(previous, snapshot):
        changes["rows"] = rows
    since = previous.samples[-1].at if previous.samples else float("-inf")
    if samples := [sample for sample in snapshot.samples if sample.at > since]:
        changes["samples"] = samples
    if not changes:
        return None
    frame = {"type": "changes", "frame": number, "query": snapshot.query, "now": round(now, 3)}
    return _encoder.encode(frame | changes).decode()


def unavailable_frame(number: int) -> str:
    """Return the frame for a page while the sessions cannot be read."""
    return _encoder.encode({"type": "unavailable", "frame": number}).decode()


def _head(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "counts": snapshot.census._asdict(),
        "total": snapshot.total,
        "bounded": snapshot.bounded,
        "page": snapshot.page,
        "pages": snapshot.pages,
    }


def _changed_rows(previous: Snapshot, snapshot: Snapshot) -> dict[str, dict[str, object]]:
    changed = {}
    for watch_id, row in snapshot.rows.items():
        earlier = previous.rows.get(watch_id)
        if earlier is None or earlier.owner != row.owner:
            fields = row.fields(snapshot.operator)
        else:
            fields = earlier.changes_to(row)
        if fields:
            changed[watch_id] = fields
    return changed
