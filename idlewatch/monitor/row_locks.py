"""Rows that a transaction of the project holds: what works on many sessions must not wait for one of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections, transaction
from django.db.models import QuerySet


@contextmanager
def locking(rows: QuerySet[Any], keys: Collection[Any], *, deletes: bool = False) -> Iterator[Collection[Any]]:
    """Lock rows, by their primary keys, in a transaction; yield the keys of those that another transaction holds.

    `deletes`: they are to be deleted, not only updated. Where the database can't skip such rows (SQLite), there is no
    transaction, and nothing is yielded.
    """
    features = connections[rows.db].features
    if not features.has_select_for_update_skip_locked:
        yield ()
        return
    wanted = rows.filter(pk__in=keys)
    with transaction.atomic(using=rows.db):
        no_key = features.has_select_for_no_key_update and not deletes
        locked = set(wanted.select_for_update(skip_locked=True, no_key=no_key).values_list("pk", flat=True))
        # There may be fewer rows than keys.
        yield () if len(locked) == len(keys) else set(wanted.values_list("pk", flat=True)) - locked


def held(rows: QuerySet[Any], keys: Collection[Any], *, deletes: bool = False) -> Collection[Any]:
    """Return the keys of those rows that another transaction holds just now."""
    with locking(rows, keys, deletes=deletes) as found:
        return found
