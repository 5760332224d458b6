"""An event loop for a thread that may be a greenlet."""

from __future__ import annotations

import asyncio
import selectors


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return an event loop that counts as running only while it works, not while it waits.

    gevent and eventlet make greenlets of threads: those of requests and the timer's take turns in one thread, whenever
    one of them waits. Which event loop runs is kept for each thread, so a request would find itself on the timer's,
    where Django refuses all use of the database.
    """
    around: asyncio.AbstractEventLoop | None = None

    # Defined here, for they replace the selectors of the standard library when they patch it.
    class Selector(selectors.DefaultSelector):
        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            nonlocal around
            asyncio._set_running_loop(around)
            try:
                return super().select(timeout)
            finally:
                # Another greenlet may have an event loop of its own, which waits.
                around = asyncio._get_running_loop()
                asyncio._set_running_loop(loop)

    loop = asyncio.SelectorEventLoop(Selector())
    return loop
