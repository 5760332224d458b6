"""The transaction that the project may have open on the database of the records."""

from __future__ import annotations

from collections.abc import Callable

from django.db import connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from idlewatch.models import WatchedSession


def once_recorded(function: Callable[[], object]) -> None:
    """Call a function once the records are committed: immediately, unless a transaction is open on their database.

    An error is logged with the name of the function: don't pass a `partial`, which has none.
    """
    transaction.on_commit(function, using=_alias(), robust=True)


def once_committed(function: Callable[[], object]) -> None:
    """Call a function as `once_recorded` does, but immediately in the transaction of a `TestCase`: it never commits."""
    if is_open():
        once_recorded(function)
    else:
        function()


def is_open() -> bool:
    """Return whether a transaction is open that the project may still roll back: not the one around a `TestCase`."""
    # Django's own check of `durable=True` asks the same.
    return any(not getattr(block, "_from_testcase", False) for block in _connection().atomic_blocks)


class Commit:
    """Tracks the transaction that was open on the database of the records when this was made."""

    def __init__(self) -> None:
        self._is_done = not _connection().in_atomic_block
        if not self._is_done:
            once_recorded(self._note)

    def _note(self) -> None:
        self._is_done = True

    @property
    def is_lost(self) -> bool:
        """Whether the transaction was rolled back: Django drops the functions that were to follow its commit."""
        return not self._is_done and all(entry[1] != self._note for entry in _connection().run_on_commit)


def _connection() -> BaseDatabaseWrapper:
    return connections[_alias()]


def _alias() -> str:
    return router.db_for_write(WatchedSession)
