"""The tasks of a timer's rounds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from idlewatch.process import Process


class RoundTasks:
    """Runs the tasks of rounds, each for as long as it takes, while the rounds wait at most `timeout` seconds for it.

    A task may wait for a lock, or for the project's code; it must not delay the others for that.
    """

    def __init__(self, process: Process, timeout: float) -> None:
        self._process = process
        self._timeout = timeout
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._tasks

    async def run(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a task, and raise what it raises.

        If it is not done in time it goes on during the next rounds, and is not started again before it is done.
        """
        if name in self._tasks and not await self._wait(name):
            return
        if name not in self._tasks:
            self._tasks[name] = self._process.start(work())
        await self._wait(name)

    def cancel(self) -> None:
        """Cancel what is under way."""
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()

    async def _wait(self, name: str) -> bool:
        """Wait for a task; return whether it is done."""
        task = self._tasks[name]
        with suppress(TimeoutError):
            async with self._process.clock.timeout(self._timeout):
                await asyncio.wait({task})
        if task.done():
            # A concurrent round, as in a test, may have waited for it too.
            if self._tasks.get(name) is task:
                del self._tasks[name]
            task.result()
        return task.done()
