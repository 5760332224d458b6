"""Server processes in the tests' own interpreter: each test has one, and may have more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from idlewatch.core.clock import Clock
from idlewatch.monitor import service as monitor
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


def lose_store() -> None:
    """Go on with another store, as a process does that was started again."""
    current_process().discard(monitor.open_store)
