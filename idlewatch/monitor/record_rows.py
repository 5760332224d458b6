"""Records as rows: what work on many sessions reads of them, in a fraction of the time that the model takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import msgspec
from django.db import connections, router
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from idlewatch.core.activity import Activity
from idlewatch.core.policy import Policy
from idlewatch.managers import among
from idlewatch.models import WatchedSession

T = TypeVar("T")

MAX_POLICIES = 1000
"""Policies that are remembered: most sessions have one of a few."""
MAX_READ = 250
"""Records that one statement reads with their JSON: 500 keep PostgreSQL busy for more than five milliseconds."""


class RecordRow(NamedTuple):
    """A record, with fields of the same names; those in JSON are text."""

    pk: str
    user_id: Any
    impersonator_id: Any
    impersonator_name: str
    impersonator_digest: str
    session_digest: str
    previous_digest: str
    auth_digest: str
    warnings: int
    extensions: int
    held_seconds: float
    ended: datetime | None
    reason: str
    limits: str
    facts: str
    last_active: datetime

    def __repr__(self) -> str:
        # The generated one would show digests.
        return f"<RecordRow {self.pk}>"


class Progress(NamedTuple):
    """How far a session came, by its record."""

    pk: str
    last_active_text: str
    ended: datetime | None

    @property
    def last_active(self) -> datetime:
        """The checkpoint."""
        return _moment_of(self.last_active_text)


class LiveRow(NamedTuple):
    """What a store needs of a live record to resume its session: each column more takes time."""

    pk: str
    user_id: Any
    last_active_text: str
    limits: str
    facts: str

    def __repr__(self) -> str:
        return f"<LiveRow {self.pk}>"

    @property
    def ended(self) -> None:
        """When it ended: it lives."""

    @property
    def reason(self) -> str:
        """Why it ended."""
        return ""

    @property
    def last_active(self) -> datetime:
        """The checkpoint; parsed where it is asked for, which is rare."""
        return _moment_of(self.last_active_text)


class AccountRow(NamedTuple):
    """What a check needs of a live record that this process alone writes, with fields of the same names."""

    pk: str
    user_id: Any
    impersonator_name: str
    auth_digest: str
    last_active: datetime

    def __repr__(self) -> str:
        return f"<AccountRow {self.pk}>"


Record = WatchedSession | RecordRow
Resumable = Record | LiveRow
"""What a session goes on from."""

_JSON = ("limits", "facts")
_AS_TEXT = (*_JSON, "last_active")
_COLUMNS = [f"{name}_text" if name in _AS_TEXT else name for name in RecordRow._fields]
_LAST_ACTIVE = Cast("last_active", TextField())
"""As text: to parse it takes a third of the time of what Django does for each value."""
_decode_activity = msgspec.json.Decoder(Activity).decode
_decode_policy = lru_cache(MAX_POLICIES)(msgspec.json.Decoder(Policy).decode)


def read_rows(records: QuerySet[WatchedSession]) -> list[RecordRow]:
    """Return these records."""
    texts = {f"{name}_text": Cast(name, TextField()) for name in _AS_TEXT}
    zone = connections[records.db].timezone
    rows = records.annotate(**texts).values_list(*_COLUMNS)
    return [RecordRow._make((*row, _moment_in(text, zone))) for *row, text in rows]


def read_live_rows(records: QuerySet[WatchedSession]) -> list[LiveRow]:
    """Return these records, which are live."""
    texts = {f"{name}_text": Cast(name, TextField()) for name in _JSON}
    rows = records.annotate(last_active_text=_LAST_ACTIVE, **texts)
    return [LiveRow._make(row) for row in rows.values_list(*LiveRow._fields[:3], *texts)]


def in_parts(
    read: Callable[[QuerySet[WatchedSession]], list[T]], records: QuerySet[WatchedSession], watch_ids: Iterable[str]
) -> list[T]:
    """Return what `read` returns of those among some records that have these ids, `MAX_READ` at a time."""
    wanted = list(watch_ids)
    parts = (wanted[start : start + MAX_READ] for start in range(0, len(wanted), MAX_READ))
    return [row for part in parts for row in read(records.filter(among("pk", part)))]


def read_progress(records: QuerySet[WatchedSession]) -> list[Progress]:
    """Return how far the sessions of these records came."""
    rows = records.annotate(last_active_text=_LAST_ACTIVE).values_list(*Progress._fields)
    return [Progress._make(row) for row in rows]


def _moment_of(text: str) -> datetime:
    return _moment_in(text, connections[router.db_for_write(WatchedSession)].timezone)


def _moment_in(text: str, zone: tzinfo | None) -> datetime:
    moment = datetime.fromisoformat(text)
    # PostgreSQL writes the offset; the others have the time zone of the connection.
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment


def read_account_rows(records: QuerySet[WatchedSession]) -> list[AccountRow]:
    """Return the live ones among these records."""
    # Not by a condition: SQLite would rather go through all live records than look each of these up.
    rows = records.annotate(last_active_text=_LAST_ACTIVE).values_list(
        "ended", *AccountRow._fields[:-1], "last_active_text"
    )
    zone = connections[records.db].timezone
    return [AccountRow._make((*row, _moment_in(text, zone))) for ended, *row, text in rows if ended is None]


def activity_in(record: Resumable) -> Activity:
    """Return the facts in a record.

    Raises:
        msgspec.DecodeError: they can't be read.
    """
    return _parsed(record.facts, Activity, _decode_activity)


def policy_in(record: Resumable) -> Policy:
    """Return the limits in a record.

    Raises:
        msgspec.DecodeError: they can't be read.
    """
    return _parsed(record.limits, Policy, _decode_policy)


def _parsed(value: Any, kind: type[T], decode: Callable[[str], T]) -> T:  # noqa: ANN401 - parsed JSON, or text
    return decode(value) if isinstance(value, str) else msgspec.convert(value, kind)
