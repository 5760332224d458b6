"""What an operator's page is sent: first all that it shows, then what became different of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from idlewatch.live.rows import Row
from idlewatch.store.base import Census, Sample

_encoder = msgspec.json.Encoder()


class Snapshot(Struct, frozen=True):
    """What a page shows."""

    query: int
    operator: str
    """The primary key, as text, of the user who looks at it."""
    census: Census
    total: int
    """How many sessions match."""
    bounded: bool
    """More candidates were found than are looked at: there may be more that match."""
    page: int
    pages: int
    rows: Mapping[str, Row]
    """In their order, by their ids."""
    samples: Sequence[Sample]
    """The last hour, the oldest first."""


def page_frame(picture: Snapshot, number: int, now: float) -> str:
    """Say all of a picture."""
    rows = [row.fields(picture.operator) for row in picture.rows.values()]
    frame = {"type": "page", "frame": number, "query": picture.query, "now": round(now, 3)}
    return _encoder.encode(frame | _head(picture) | {"rows": rows, "samples": list(picture.samples)}).decode()


def changes_frame(before: Snapshot, picture: Snapshot, number: int, now: float) -> str | None:
    """Say what is different from an earlier picture of the same query; None where nothing is."""
    # After the clock was put back, the chart does not go on: all is said anew.
    if before.samples and before.samples[-1] not in picture.samples:
        return page_frame(picture, number, now)
    earlier = _head(before)
    changes = {name: value for name, value in _head(picture).items() if value != earlier[name]}
    if (order := list(picture.rows)) != list(before.rows):
        changes["order"] = order
    if rows := _changed_rows(before, picture):
        changes["rows"] = rows
    since = before.samples[-1].at if before.samples else float("-inf")
    if samples := [sample for sample in picture.samples if sample.at > since]:
        changes["samples"] = samples
    if not changes:
        return None
    frame = {"type": "changes", "frame": number, "query": picture.query, "now": round(now, 3)}
    return _encoder.encode(frame | changes).decode()


def unavailable_frame(number: int) -> str:
    """Say that nobody can be asked just now."""
    return _encoder.encode({"type": "unavailable", "frame": number}).decode()


def _head(picture: Snapshot) -> dict[str, Any]:
    return {
        "counts": picture.census._asdict(),
        "total": picture.total,
        "bounded": picture.bounded,
        "page": picture.page,
        "pages": picture.pages,
    }


def _changed_rows(before: Snapshot, picture: Snapshot) -> dict[str, dict[str, object]]:
    changed = {}
    for watch_id, row in picture.rows.items():
        earlier = before.rows.get(watch_id)
        told = row.fields(picture.operator) if earlier is None else earlier.changes_to(row)
        if told:
            changed[watch_id] = told
    return changed
