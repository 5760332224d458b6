"""Named queries over the records."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from enum import Enum
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.db import DatabaseError, connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, F, Func, Manager, Model, Q, QuerySet, Value
from django.db.models.lookups import In
from django.db.models.sql.compiler import SQLCompiler

from idlewatch.core.activity import Reason
from idlewatch.core.clock import as_datetime
from idlewatch.core.probes import PROBE_PREFIX

if TYPE_CHECKING:
    from idlewatch.models import WatchedSession

M = TypeVar("M", bound=Model)
T = TypeVar("T")

MAX_TRIES = 5
"""Attempts at a statement that the database refuses because another transaction wrote to the same row."""
CONFLICTS = frozenset({"40001", "40P01", 1020, 1213})
"""Errors by which PostgreSQL (SQLSTATE) and MariaDB report that: serialization failures and deadlocks."""

Place = tuple[datetime, str]
"""Start and watch id of a record."""
CENTURY = 3e9
"""Seconds after which nothing is recorded."""
ROW = "(%(expressions)s)"
"""Several expressions as one, in SQL."""
SEARCH_FIELDS = ("username", "address", "user_agent")
"""The fields that operators search."""


class Among(In):
    """The condition that a field has one of many values: for PostgreSQL and SQLite one parameter, not one for each.

    Where there are hundreds, Django, the driver and PostgreSQL's planner take longer over these than over the rows.
    """

    def get_prep_lookup(self) -> list[Any]:
        """Return the values as they are: of the field's own type, and no expressions."""
        return list(self.rhs)

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, list[Any]]:
        """Return the condition as a comparison with an array."""
        sql, params = self.process_lhs(compiler, connection)
        return f"{sql} = ANY(%s)", [*params, _array_of(self._prepared(connection))]

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Sequence[Any]]:
        """Return the condition as a search in an array in JSON."""
        try:
            values = json.dumps(self._prepared(connection))
        except TypeError:
            # JSON has no values of this kind.
            return self.as_sql(compiler, connection)
        sql, params = self.process_lhs(compiler, connection)
        return f"{sql} IN (SELECT value FROM json_each(%s))", [*params, values]  # noqa: S608 - no values in it

    def _prepared(self, connection: BaseDatabaseWrapper) -> list[Any]:
        prepared = self.lhs.output_field.get_db_prep_value
        return [prepared(value, connection, prepared=True) for value in self.rhs]


def _array_of(values: list[Any]) -> list[Any] | str:
    """Return an array as PostgreSQL writes it, where that is simple: the driver would look at each value by itself."""
    kinds = set(map(type, values))
    if len(kinds) != 1 or not issubclass(kind := kinds.pop(), str | int) or issubclass(kind, Enum):
        return values
    text = '","'.join(map(str, values))
    is_simple = "\\" not in text and text.count('"') == 2 * (len(values) - 1)
    # Of the same class, since that of session keys does not show them.
    return (kind if issubclass(kind, str) else str)(f'{{"{text}"}}') if is_simple else values


def among(field: str, values: Iterable[Any]) -> Among:
    """Return the condition that a field has one of these values, which are of the field's own type."""
    return Among(F(field), list(values))


def beyond(fields: Sequence[str], values: Sequence[Any]) -> Func:
    """Return the condition that a row comes after one with these values, in the order of these fields.

    Comparisons of single fields would have the database go through all rows that share the first value.
    """
    names, row = Func(*map(F, fields), template=ROW), Func(*map(Value, values), template=ROW)
    return Func(names, row, template="%(expressions)s", arg_joiner=" > ", output_field=BooleanField())


class PrimaryManager(Manager[M]):
    """Reads where it writes, whatever routers say of reads: a replica may lag, and sessions are judged by this."""

    def get_queryset(self) -> QuerySet[M]:
        """Return a query on the primary database."""
        rows = super().get_queryset()
        return rows if self._db is not None else rows.using(router.db_for_write(self.model))


def persistently(write: Callable[[], T], database: str) -> T:
    """Write to the records, again after a conflict; in a transaction of the project it would be refused again."""
    for _ in range(MAX_TRIES - 1):
        try:
            return write()
        except DatabaseError as error:
            if not _is_conflict(error) or connections[database].in_atomic_block:
                raise
    return write()


class WatchedSessionQuerySet(QuerySet["WatchedSession"]):
    """The records of watched sessions. Moments are epoch seconds."""

    def update(self, **values: Any) -> int:
        """Update them; also where another transaction writes to them at the same moment (REPEATABLE READ)."""
        return persistently(lambda: super(WatchedSessionQuerySet, self).update(**values), self.db)

    def live(self) -> Self:
        """Return those that have not ended."""
        return self.filter(ended=None)

    def ended(self) -> Self:
        """Return those that have ended."""
        return self.exclude(ended=None)

    def closed_since(self, moment: float) -> Self:
        """Return those that ended at `moment` or later."""
        # With one bound alone PostgreSQL expects a third of a table that was not analyzed, and reads all of it.
        return self.filter(ended__range=(as_datetime(moment), as_datetime(moment + CENTURY)))

    def started_until(self, moment: float) -> Self:
        """Return those that began at `moment` or earlier."""
        return self.filter(started__lte=as_datetime(moment))

    def for_user(self, key: Any) -> Self:  # noqa: ANN401 - keys of users are of any type
        """Return those of a user, by primary key."""
        return self.filter(user_id=key)

    def used_by(self, key: Any) -> Self:  # noqa: ANN401 - as above
        """Return those of a user, by primary key, and those in which this user acts as another."""
        return self.filter(Q(user_id=key) | Q(impersonator_id=key))

    def without_impersonation(self) -> Self:
        """Return those whose user is the person who signed in."""
        return self.filter(impersonator_name="")

    def without_probes(self) -> Self:
        """Return those that began by a sign-in, and not to try the site."""
        return self.exclude(pk__startswith=PROBE_PREFIX)

    def revoked_by(self, key: Any) -> Self:  # noqa: ANN401 - as above
        """Return those that a user, by primary key, has ended."""
        return self.filter(reason=Reason.REVOKED.value, ended_by=key)

    def by_key(self, digests: Iterable[str]) -> Self:
        """Return those whose session key, or the one before it, has one of these digests, in no order.

        To find the latest, don't sort and cut them here: PostgreSQL goes through a table that was not analyzed by the
        order then, and reads all of it where there is none.
        """
        candidates = list(digests)
        return self.filter(Q(session_digest__in=candidates) | Q(previous_digest__in=candidates))

    def after(self, watch_id: str) -> Self:
        """Return those that follow a watch id, in the order of their ids: to go through all of them by batches."""
        return self.filter(pk__gt=watch_id).order_by("pk")

    def started_after(self, place: Place | None, last: Place | None = None) -> Self:
        """Return those that follow a place, in the order of their starts: the live ones have an index for it.

        `last`: the place of the last of them, if they are not all that follow.
        """
        # The index begins with `ended`, None for all live ones; PostgreSQL uses it only if the order begins so, too.
        rows = self.order_by("ended", "started", "pk")
        if last is not None:
            rows = rows.filter(started__lte=last[0]).exclude(started=last[0], pk__gt=last[1])
        if place is None:
            return rows
        started, watch_id = place
        # The first condition is the one by which the index is entered.
        return rows.filter(started__gte=started).exclude(started=started, pk__lte=watch_id)

    def matching(self, terms: Iterable[str]) -> Self:
        """Return those in which each term is found: in one of the `SEARCH_FIELDS`, or as the id."""
        rows = self
        for term in terms:
            rows = rows.filter(reduce(or_, (Q((f"{field}__icontains", term)) for field in SEARCH_FIELDS), Q(pk=term)))
        return rows

    def find(self, watch_id: str) -> WatchedSession | None:
        """Return the one with this id, or None."""
        return self.filter(pk=watch_id).first()


def _is_conflict(error: DatabaseError) -> bool:
    """Return whether a statement was refused because another transaction wrote to the same row."""
    cause = error.__cause__
    # The names of psycopg 3 and 2, and the number that drivers of MariaDB put first.
    codes = (getattr(cause, "sqlstate", None), getattr(cause, "pgcode", None), *error.args[:1])
    return not CONFLICTS.isdisjoint(code for code in codes if isinstance(code, str | int))
