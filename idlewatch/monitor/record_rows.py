"""Records as rows: what work on many sessions reads of them, in a fraction of the time that the model takes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import msgspec
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from idlewatch.core.activity import Activity
from idlewatch.core.policy import Policy
from idlewatch.models import WatchedSession

T = TypeVar("T")

MAX_POLICIES = 1000
"""Policies that are remembered: most sessions have one of a few."""


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
    last_active: datetime
    warnings: int
    extensions: int
    held_seconds: float
    ended: datetime | None
    reason: str
    limits: str
    facts: str

    def __repr__(self) -> str:
        # The generated one would show digests.
        return f"<RecordRow {self.pk}>"


Record = WatchedSession | RecordRow

_JSON = ("limits", "facts")
_COLUMNS = [f"{name}_text" if name in _JSON else name for name in RecordRow._fields]
_decode_activity = msgspec.json.Decoder(Activity).decode
_decode_policy = lru_cache(MAX_POLICIES)(msgspec.json.Decoder(Policy).decode)


def read_rows(records: QuerySet[WatchedSession]) -> list[RecordRow]:
    """Return these records."""
    texts = {f"{name}_text": Cast(name, TextField()) for name in _JSON}
    return [RecordRow._make(row) for row in records.annotate(**texts).values_list(*_COLUMNS)]


def activity_in(record: Record) -> Activity:
    """Return the facts in a record.

    Raises:
        msgspec.DecodeError: they can't be read.
    """
    return _parsed(record.facts, Activity, _decode_activity)


def policy_in(record: Record) -> Policy:
    """Return the limits in a record.

    Raises:
        msgspec.DecodeError: they can't be read.
    """
    return _parsed(record.limits, Policy, _decode_policy)


def _parsed(value: Any, kind: type[T], decode: Callable[[str], T]) -> T:  # noqa: ANN401 - parsed JSON, or text
    return decode(value) if isinstance(value, str) else msgspec.convert(value, kind)
