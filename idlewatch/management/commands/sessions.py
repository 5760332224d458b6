"""List the sessions."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from idlewatch.core.clock import as_datetime, in_utc
from idlewatch.core.policy import Phase
from idlewatch.core.probes import is_probe
from idlewatch.exceptions import IdleWatchError
from idlewatch.http.user_agents import device_name
from idlewatch.management.options import add_user_option, of_user
from idlewatch.models import WatchedSession
from idlewatch.monitor import records, stores
from idlewatch.process import current_process, now
from idlewatch.store.values import Watched

COLUMNS = ("session", "user", "device", "address", "started", "last_active", "tabs", "phase", "ends")
ENDED_COLUMNS = ("session", "user", "device", "address", "started", "last_active", "ended", "reason", "ended_by")
MAX_CELL_WIDTH = 40
"""Characters of a cell in the table; longer texts are cut."""


class Command(BaseCommand):
    """List the live sessions, or those that have ended."""

    help = "List the live sessions, from the store if it is shared and available, otherwise from the records."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        add_user_option(parser)
        parser.add_argument("--ended", action="store_true", help="sessions that have ended, the latest first")
        parser.add_argument("--limit", type=_count, metavar="N", help="at most N sessions")
        parser.add_argument("--json", action="store_true", help="print a JSON array, with times in UTC")

    def handle(self, *_args: object, **options: Any) -> None:
        """Print the sessions."""
        rows = of_user(WatchedSession.objects.all(), options["user"])
        rows = rows.ended().order_by("-ended", "pk") if options["ended"] else rows.live().order_by("started", "pk")
        listed = rows if options["limit"] is None else rows[: options["limit"]]
        # Before the first `now()`: opening a shared store corrects this process's clock.
        stores.current()
        described = _descriptions(listed.iterator(chunk_size=records.BATCH_SIZE), now())
        try:
            if options["json"]:
                self._print_json(described)
            else:
                self._print_table(described, ENDED_COLUMNS if options["ended"] else COLUMNS, rows.count())
            self.stdout.flush()
        except BrokenPipeError:
            # The reader, such as `head`, has seen enough; at exit Python would flush once more.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _print_json(self, rows: Iterable[dict[str, object]]) -> None:
        between = "[\n"
        for row in rows:
            self.stdout.write(between + json.dumps(row, default=_to_json, ensure_ascii=False), ending="")
            between = ",\n"
        self.stdout.write("[]" if between == "[\n" else "\n]")

    def _print_table(self, rows: Iterable[dict[str, object]], columns: tuple[str, ...], total: int) -> None:
        lines = [[_cell(row[name]) for name in columns] for row in rows]
        if not lines:
            self.stdout.write("No sessions.")
            return
        lines.insert(0, [name.replace("_", " ") for name in columns])
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            self.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
        shown = len(lines) - 1
        self.stdout.write(f"Total: {shown}" if shown >= total else f"{shown} of {total}")


def _descriptions(rows: Iterator[WatchedSession], at: float) -> Iterator[dict[str, object]]:
    while batch := list(islice(rows, records.BATCH_SIZE)):
        known = _known([record.pk for record in batch if record.ended is None])
        for record in batch:
            yield _description(record, known.get(record.pk), at)


def _description(record: WatchedSession, watched: Watched | None, at: float) -> dict[str, object]:
    return {
        "session": record.pk,
        "user": record.username,
        "impersonator": record.impersonator_name or None,
        "device": device_name(record.pk, record.user_agent),
        "address": record.address,
        "started": record.started,
        "signed_in": record.signed_in,
        "last_active": record.last_active if watched is None else _last_active(watched, at),
        **_state(record, watched, at),
        "warnings": record.warnings if watched is None else watched.activity.warnings,
        "extensions": record.extensions if watched is None else watched.activity.extensions,
        "ended": record.ended,
        "reason": record.reason or None,
        "ended_by": record.ended_by_name or None,
        "probe": is_probe(record.pk),
    }


def _last_active(watched: Watched, at: float) -> datetime:
    return as_datetime(watched.activity.idle_from(at, watched.policy.hold_limit))


def _state(record: WatchedSession, watched: Watched | None, at: float) -> dict[str, object]:
    """Return phase, deadline and tabs of a session; only the store knows the tabs."""
    if record.ended is not None:
        return {"tabs": None, "phase": Phase.ENDED.value, "ends": None}
    verdict = (watched or records.watched_of(record, at)).verdict(at)
    ends = None if verdict.ends_at == float("inf") else as_datetime(verdict.ends_at)
    tabs = None if watched is None else watched.activity.tab_count
    return {"tabs": tabs, "phase": verdict.phase.value, "ends": ends}


def _known(watch_ids: Sequence[str]) -> Mapping[str, Watched]:
    """Return these sessions from the store, if it is shared and available."""
    recovery = stores.recovery_of(current_process())
    if recovery is None or recovery.is_away:
        return {}
    try:
        return {watched.id: watched for watched in stores.current().sessions.get_many(watch_ids) if watched is not None}
    except IdleWatchError:
        return {}


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return f"{timezone.localtime(value):%Y-%m-%d %H:%M:%S}"
    text = "-" if value is None or value == "" else " ".join(str(value).split())
    # A user agent may contain anything, and a terminal obeys control characters.
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= MAX_CELL_WIDTH else f"{text[: MAX_CELL_WIDTH - 1]}…"


def _to_json(value: object) -> str:
    assert isinstance(value, datetime), value  # noqa: S101 - JSON has all other types
    return in_utc(value)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) == 0:
        raise ArgumentTypeError(f"{text!r} is not a number of sessions; expected 1 or more")
    return int(text)
