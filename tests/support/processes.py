"""Server processes in the tests' own interpreter: each test has one, and may have more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from idlewatch.core.clock import Clock, as_datetime
from idlewatch.models import StoreOwner
from idlewatch.monitor import stores
from idlewatch.process import Process, current_process, set_default


@contextmanager
def default_process(clock: Clock | None = None) -> Iterator[Process]:
    """Serve everything that names no process by a new one, and close it at the end."""
    process = Process(clock=clock)
    set_default(process)
    try:
        yield process
    finally:
        process.close()
        set_default(None)


def give_store_away(now: float) -> None:
    """Let a process on another host own the memory store, for an hour if it does not renew its lease."""
    StoreOwner.objects.all().delete()
    StoreOwner.objects.create(host="elsewhere", pid=1, process="other", renewed=as_datetime(now + 3600))


def lose_store() -> None:
    """Go on with another store, as a process does that was started again."""
    current_process().discard(stores.open_store)
