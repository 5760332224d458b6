"""Rows that a transaction of the project has locked: work on many sessions must not wait for one of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import connections, transaction
from django.db.models import Model, QuerySet

from idlewatch.managers import among

M = TypeVar("M", bound=Model)


def skipping_locked(rows: QuerySet[M], *, deletes: bool = False) -> QuerySet[M] | None:
    """Return a query that locks these rows and leaves out those that another transaction has locked.

    It needs a transaction. `deletes`: whether the rows will be deleted, not only updated. None: the database can't.
    """
    features = connections[rows.db].features
    if not features.has_select_for_update_skip_locked:
        return None
    no_key = features.has_select_for_no_key_update and not deletes
    return rows.select_for_update(skip_locked=True, no_key=no_key)


@contextmanager
def locking(rows: QuerySet[Any], keys: Collection[Any], *, deletes: bool = False) -> Iterator[Collection[Any]]:
    """Lock rows, by their primary keys, in a transaction; yield the keys of those that another transaction has locked.

    `deletes`: whether the rows will be deleted, not only updated. If the database can't skip locked rows (SQLite), no
    transaction is begun, and the collection is empty.
    """
    wanted = rows.filter(among("pk", keys))
    free = skipping_locked(wanted, deletes=deletes)
    if free is None:
        yield ()
        return
    with transaction.atomic(using=rows.db):
        own = set(free.values_list("pk", flat=True))
        # Fewer rows than keys may also mean that some do not exist.
        yield () if len(own) == len(keys) else set(wanted.values_list("pk", flat=True)) - own


def locked(rows: QuerySet[Any], keys: Collection[Any], *, deletes: bool = False) -> Collection[Any]:
    """Return the keys of the rows that another transaction has locked at the moment."""
    with locking(rows, keys, deletes=deletes) as found:
        return found
