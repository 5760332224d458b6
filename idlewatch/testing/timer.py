"""The work of the timer, done at once."""

from __future__ import annotations

from asgiref.sync import async_to_sync

from idlewatch.process import Lane, current_process
from idlewatch.runtime.runtime import runtime_of
from idlewatch.signals.dispatcher import Dispatcher

RECEIVER_TIMEOUT = 5.0
"""Seconds that the receivers of signals have to return."""


async def arun_due() -> None:
    """Do what is due by now, and wait for the receivers of its signals."""
    process = current_process()
    timer = runtime_of(process).timer
    # A round comes first: until then the timer does not own the store. What it publishes is recorded afterwards.
    await timer.keep(process.clock.now())
    await timer.push(process.clock.now())
    await timer.keep(process.clock.now())
    # In Django's thread, where the test's transaction is.
    await process.threads.run(Lane.DATABASE, process.part(Dispatcher).wait, RECEIVER_TIMEOUT)


run_due = async_to_sync(arun_due)
"""Sync version of `arun_due`."""
