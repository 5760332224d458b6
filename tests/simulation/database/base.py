"""The backend: `DATABASES["default"]["ENGINE"]` of the simulated site."""

from __future__ import annotations

from typing import Any

from django.db.backends.sqlite3 import base

from tests.simulation.database.link import link


class Cursor(base.SQLiteCursorWrapper):
    """A cursor whose statements travel."""

    wrapper: DatabaseWrapper

    def execute(self, query: str, params: Any = None) -> Any:
        return self.wrapper.travel(query, lambda: super(Cursor, self).execute(query, params))

    def executemany(self, query: str, param_list: Any) -> Any:
        return self.wrapper.travel(query, lambda: super(Cursor, self).executemany(query, param_list))


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection to the simulated database server."""

    is_aborted = False
    """Whether its transaction failed, and is to be rolled back."""

    is_lost = False
    """Whether the connection is broken: nothing comes through until Django makes another."""

    def is_usable(self) -> bool:
        return not self.is_lost

    def travel(self, query: str, call: Any) -> Any:
        """Send a statement, and wait for its answer."""
        return link().travel(self, query, call)

    def create_cursor(self, name: str | None = None) -> Cursor:
        cursor = self.connection.cursor(factory=Cursor)
        cursor.wrapper = self
        return cursor

    def get_new_connection(self, conn_params: Any) -> Any:
        link().connect(self)
        return super().get_new_connection(conn_params)

    def init_connection_state(self) -> None:
        """Ask nothing: what Django asks here would travel for each connection."""

    def _commit(self) -> None:
        if self.connection is not None:
            link().commit(self, super()._commit)

    def _rollback(self) -> None:
        if self.connection is not None:
            link().rollback(self, super()._rollback)
