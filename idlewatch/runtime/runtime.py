"""The background work of a web process: one hub, one bus and one timer, for each event loop."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial

from idlewatch.exceptions import StoreUnavailable
from idlewatch.monitor import stores
from idlewatch.process import Lane, PerLoop, Process
from idlewatch.runtime.bus import Bus
from idlewatch.runtime.garbage import tune_collector
from idlewatch.runtime.hub import Hub
from idlewatch.runtime.timer import Timer
from idlewatch.signals.dispatcher import Dispatcher


class Runtime:
    """The hub, the bus and the timer of one event loop of a process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.hub = Hub(process)
        self.bus = Bus(process, self.hub)
        self.timer = Timer(process, self.hub)
        self._task: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Run the timer, unless it runs or the process is going away."""
        if self._task is None and not self.hub.dismissed:
            if self._process.is_served:
                self._process.part(tune_collector)
            self._task = self._process.start(self.timer.run())
            if stores.store_of(self._process).shared:
                self._listening = self._process.start(self.bus.run())

    @property
    def runs(self) -> bool:
        """Whether the timer runs."""
        return self._task is not None and not self._task.done()

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop that the timer runs on; None where it does not run."""
        return None if self._task is None else self._task.get_loop()

    async def stop(self) -> None:
        """Close the tabs, and record how far every session came."""
        await self.hub.dismiss()
        (task, self._task), (listening, self._listening) = (self._task, None), (self._listening, None)
        for each in (task, listening):
            if each is not None:
                each.cancel()
                await asyncio.gather(each, return_exceptions=True)
        if task is not None:
            with suppress(StoreUnavailable):
                # The store has what it would record, when it is back.
                await self.timer.finish()
            await stores.store_of(self._process).aclose()
        # A receiver that hangs must not hold up the process's other work meanwhile.
        await self._process.threads.run(Lane.WAITING, self._process.part(Dispatcher).drain)


def runtime_of(process: Process) -> Runtime:
    """Return the runtime of a process on the running event loop."""
    return process.part(_runtimes).current()


def running_runtime(process: Process) -> Runtime | None:
    """Return the runtime of a process whose timer runs, on whatever event loop; None where there is none."""
    return next((each for each in process.part(_runtimes) if each.runs), None)


def _runtimes(process: Process) -> PerLoop[Runtime]:
    return PerLoop(partial(Runtime, process))
