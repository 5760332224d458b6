"""The database, asked in a thread of the live pages' own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from channels.db import database_sync_to_async

P = ParamSpec("P")
T = TypeVar("T")

# What is asked here must be answered within the second: the thread that everything else of the event loop shares may
# be writing hundreds of records down.
_thread = ThreadPoolExecutor(1, "idlewatch-live")


def in_database(function: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """Have a function that asks the database run where it holds up nobody but the live pages."""
    return database_sync_to_async(function, thread_sensitive=False, executor=_thread)
