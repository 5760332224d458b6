"""The way from a process to the database server, and what goes wrong on it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from tests.simulation.threads import is_in_thread, pause

if TYPE_CHECKING:
    from random import Random

    from tests.simulation.database.base import DatabaseWrapper

T = TypeVar("T")

LOCK_PAUSE = 0.02
LOCK_TIMEOUT = 30.0
"""Seconds for which a statement waits for another's write lock, as SQLite's `timeout` would have it."""


class Broken(sqlite3.OperationalError):
    """The connection is lost, or was refused."""


class NotSerializable(sqlite3.OperationalError):
    """Another transaction changed what this one read: as PostgreSQL says it under REPEATABLE READ."""

    sqlstate = "40001"


class DatabaseLink:
    """Carries statements, each in a little virtual time, and decides which fail.

    While it `is_lossy`, some are lost on their way; half of those arrive, and their answers are lost.
    """

    def __init__(self, rng: Random, clock: Callable[[], float] = float) -> None:
        self._rng = rng
        self.clock = clock
        self.struck_at = float("-inf")
        """When a statement failed last."""
        self.strikes: list[float] = []
        self.is_away = False
        self.is_slow = False
        self.is_lossy = False
        self.conflicts = False
        """Whether transactions fail for others' changes."""
        self.is_closed = False
        self.seen: set[str] = set()
        """The incidents of `events` that occurred."""

    def latency(self) -> float:
        """Return how long a statement travels."""
        return self._rng.expovariate(1 / (0.4 if self.is_slow else 0.002))

    def _note_strike(self) -> None:
        self.struck_at = self.clock()
        self.strikes.append(self.struck_at)

    def connect(self, connection: DatabaseWrapper) -> None:
        """Open a connection."""
        if (self.is_away or self.is_closed) and is_in_thread():
            self.seen.add("database away")
            self._note_strike()
            raise Broken("connection refused")
        connection.is_aborted = connection.is_lost = False

    def travel(self, connection: DatabaseWrapper, query: str, call: Callable[[], T]) -> T:
        """Send a statement, and wait for its answer."""
        if not is_in_thread():
            # It is the simulation itself that looks.
            return call()
        if self.is_closed:
            raise Broken("the simulation is over")
        pause(self.latency())
        self._check(connection)
        if query.startswith("ROLLBACK TO"):
            connection.is_aborted = False
        elif connection.is_aborted:
            raise sqlite3.InternalError("current transaction is aborted, commands ignored until end of transaction")
        writes = query.startswith(("UPDATE", "INSERT", "DELETE"))
        if writes and connection.in_atomic_block and self.conflicts and self._rng.random() < 0.4:
            self._conflict(connection)
        is_lost = self._loses()
        if is_lost and self._rng.random() < 0.5:
            raise self._break(connection, "lost request")
        answer = self._call(connection, call)
        if is_lost:
            raise self._break(connection, "lost answer")
        return answer

    def commit(self, connection: DatabaseWrapper, call: Callable[[], None]) -> None:
        """Commit a transaction; where the answer is lost, it may be committed all the same."""
        if self.is_closed:
            raise Broken("the simulation is over")
        pause(self.latency())
        self._check(connection)
        is_lost = self._loses()
        if is_lost and self._rng.random() < 0.5:
            raise self._break(connection, "lost request")
        self._call(connection, call)
        if is_lost:
            raise self._break(connection, "lost answer")

    def rollback(self, connection: DatabaseWrapper, call: Callable[[], None]) -> None:
        """Roll a transaction back: the server does so by itself where the connection is lost."""
        connection.is_aborted = False
        if connection.is_lost:
            raise Broken("the connection is lost")
        call()
        if not self.is_closed:
            pause(self.latency())
            self._check(connection)

    def _check(self, connection: DatabaseWrapper) -> None:
        if self.is_away or connection.is_lost:
            raise self._break(connection, "away")

    def _loses(self) -> bool:
        return self.is_lossy and self._rng.random() < 0.15

    def _break(self, connection: DatabaseWrapper, how: str) -> Broken:
        self.seen.add(f"database {how}")
        self._note_strike()
        connection.is_lost = True
        if connection.connection is not None:
            connection.connection.rollback()
        return Broken(f"server closed the connection unexpectedly ({how})")

    def _conflict(self, connection: DatabaseWrapper) -> None:
        self.seen.add("serialization failure")
        self._note_strike()
        connection.is_aborted = True
        raise NotSerializable("could not serialize access due to concurrent update")

    def _call(self, connection: DatabaseWrapper, call: Callable[[], T]) -> T:
        waited = 0.0
        while True:
            try:
                return call()
            except sqlite3.OperationalError as error:
                name = getattr(error, "sqlite_errorname", "")
                if name == "SQLITE_BUSY_SNAPSHOT":
                    self.seen.add("serialization failure")
                    self._note_strike()
                    connection.is_aborted = True
                    raise NotSerializable("could not serialize access due to concurrent update") from error
                if not name.startswith("SQLITE_BUSY") or waited >= LOCK_TIMEOUT:
                    raise
                waited += LOCK_PAUSE
                pause(LOCK_PAUSE)


_link: DatabaseLink | None = None


def link() -> DatabaseLink:
    """Return the link of the schedule that runs."""
    assert _link is not None
    return _link


def install(made: DatabaseLink) -> None:
    """Have all connections use this link."""
    global _link
    _link = made
