"""The database, asked in threads of the live pages' own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from channels.db import database_sync_to_async

P = ParamSpec("P")
T = TypeVar("T")

# What is asked here must be answered within the second: the thread that everything else of the event loop shares may
# be writing hundreds of records down.
_looking = ThreadPoolExecutor(1, "idlewatch-live")
# A search may take as long as it likes: it costs nobody their page, nor keeps anybody's right from being looked at.
_searching = ThreadPoolExecutor(1, "idlewatch-live-search")


def in_database(function: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """Have a function that asks the database for little, by primary keys, run where no search holds it up."""
    return database_sync_to_async(function, thread_sensitive=False, executor=_looking)


def in_search(function: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """Have a function that filters and orders in the database run where it holds up nothing but other searches."""
    return database_sync_to_async(function, thread_sensitive=False, executor=_searching)
