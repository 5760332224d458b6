"""What runs beside the requests of a web process: one hub and one timer, for each event loop."""

from __future__ import annotations

import asyncio
from contextvars import Context
from weakref import WeakKeyDictionary

from idlewatch.hub import Hub
from idlewatch.timer import Timer


class Service:
    """The hub and the timer of one event loop."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.timer = Timer(self.hub)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Run the timer, unless it runs or the process is going away."""
        if self._task is None and not self.hub.dismissed:
            # A context of its own: that of the first request would tie the timer to that request's thread.
            self._task = asyncio.get_running_loop().create_task(self.timer.run(), context=Context())

    async def wait(self) -> None:
        """Return when the timer does: when it is cancelled."""
        if self._task is not None:
            await self._task

    @property
    def runs(self) -> bool:
        """Whether the timer runs."""
        return self._task is not None and not self._task.done()

    async def stop(self) -> None:
        """Send the tabs away, and write down how far every session came."""
        await self.hub.dismiss()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.timer.finish()


_services: WeakKeyDictionary[asyncio.AbstractEventLoop, Service] = WeakKeyDictionary()


def service() -> Service:
    """Return the service of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _services.get(loop)
    if found is None:
        found = _services[loop] = Service()
    return found


def running() -> Service | None:
    """Return the service of this process whose timer runs; None where there is none."""
    return next((each for each in _services.values() if each.runs), None)
