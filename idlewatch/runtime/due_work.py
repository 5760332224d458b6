"""The work on what is due of one kind: done whenever something is, and once in a while."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from idlewatch import metrics
from idlewatch.exceptions import LayerUnavailable, StoreUnavailable, Undecided
from idlewatch.monitor import stores
from idlewatch.process import Process
from idlewatch.store.values import Due

logger = logging.getLogger("idlewatch")

RETRY_INTERVAL = 0.6
"""Seconds after which work that the store failed asks it again, as soon as it may: it may be back, and empty."""


class DueWork:
    """Does some work whenever something of one kind is due, and every `interval` seconds at least.

    `work` takes the time, and returns when it is due next (epoch seconds; None: after the interval). `spacing`: seconds
    from the beginning of one piece of work to that of the next, so that what follows closely is done together.
    """

    def __init__(
        self,
        process: Process,
        due: Due,
        work: Callable[[float], Awaitable[float | None]],
        spacing: float,
        interval: float,
    ) -> None:
        self._process = process
        self._clock = process.clock
        self._due = due
        self._work = work
        self._spacing = spacing
        self._interval = interval

    async def run(self) -> None:
        """Work until cancelled; what fails is logged, and tried again."""
        wake, loop = asyncio.Event(), asyncio.get_running_loop()

        def wake_up() -> None:
            # A loop that was closed without ending its tasks must not fail the change of a session.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(wake.set)

        stop_listening = stores.store_of(self._process).queue.on_due_sooner(self._due, wake_up)
        try:
            while True:
                due_at, began_at = None, self._clock.ticks()
                try:
                    with metrics.TICK.labels(self._due.value).time():
                        due_at = await self._work(self._clock.now())
                except StoreUnavailable:
                    # The outage has been logged once.
                    due_at = self._clock.now() + RETRY_INTERVAL
                except Undecided:
                    # It is tried again soon.
                    pass
                except LayerUnavailable as error:
                    logger.warning("The channel layer accepted no message (%s).", type(error.__cause__).__name__)
                except Exception:
                    # What is due stays due, and is done when the database or the store is back.
                    logger.exception("A round of the timer failed.")
                if (left := began_at + self._spacing - self._clock.ticks()) > 0:
                    await self._clock.sleep(left)
                await self._rest(wake, due_at)
        finally:
            stop_listening()

    async def _rest(self, wake: asyncio.Event, due_at: float | None) -> None:
        """Sleep until something is due, or becomes due sooner, for the interval at most."""
        seconds = self._interval if due_at is None else min(max(due_at - self._clock.now(), 0.0), self._interval)
        if seconds > 0:
            with suppress(TimeoutError):
                async with self._clock.timeout(seconds):
                    await wake.wait()
        wake.clear()
