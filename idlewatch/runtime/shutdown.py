"""The shutdown of a process with a memory store: it writes down what it alone knows."""

from __future__ import annotations

from collections.abc import Sequence

from idlewatch.models import WatchedSession
from idlewatch.monitor import checkpoints, stores
from idlewatch.monitor.isolation import AWAY, work_through
from idlewatch.monitor.record_rows import in_parts, read_rows
from idlewatch.monitor.records import BATCH_SIZE
from idlewatch.process import Lane, Process
from idlewatch.store.values import Watched

WRITE_TIMEOUT = 3.0
"""Seconds after which a statement that fails is not tried again: the server waits for the process to exit."""
RETRY_PAUSE = 0.2
"""Seconds between two tries."""


async def write_progress(process: Process) -> None:
    """Write into the records how far live sessions came since they were checked; try again where the database fails.

    Raises:
        any of `AWAY`: the database went on failing; the sessions resume from their last checkpoints.
    """
    clock = process.clock
    until = clock.ticks() + WRITE_TIMEOUT
    unwritten = await stores.store_of(process).queue.unwritten()
    for start in range(0, len(unwritten), BATCH_SIZE):
        batch = unwritten[start : start + BATCH_SIZE]
        while not await _is_written(process, batch, is_last_try=clock.ticks() >= until):
            await clock.sleep(RETRY_PAUSE)


async def _is_written(process: Process, batch: Sequence[Watched], *, is_last_try: bool) -> bool:
    try:
        await process.threads.run(Lane.TIMER, _checkpoint, batch, process.clock.now())
    except AWAY:
        if is_last_try:
            raise
        return False
    return True


def _checkpoint(sessions: Sequence[Watched], now: float) -> None:
    def checkpoint(batch: Sequence[Watched]) -> None:
        by_id = {watched.id: watched for watched in batch}
        rows = in_parts(read_rows, WatchedSession.objects.all(), by_id)
        checkpoints.checkpoint(rows, by_id, now, last=True)

    work_through("checkpoint", {watched.id: watched for watched in sessions}, checkpoint)
