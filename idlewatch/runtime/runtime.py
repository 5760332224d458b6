"""What runs beside the requests of a web process: one hub, one listener and one timer, for each event loop."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import Context
from weakref import WeakKeyDictionary

from idlewatch.exceptions import StoreUnavailable
from idlewatch.monitor import service as monitor
from idlewatch.runtime.bus import Bus
from idlewatch.runtime.hub import Hub
from idlewatch.runtime.timer import Timer
from idlewatch.signals import dispatcher


class Service:
    """The hub, the listener and the timer of one event loop."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.listener = Bus(self.hub)
        self.timer = Timer(self.hub)
        self._task: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Run the timer, unless it runs or the process is going away."""
        if self._task is None and not self.hub.dismissed:
            # A context of its own: that of the first request would tie the timer to that request's thread.
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self.timer.run(), context=Context())
            if monitor.store().shared:
                self._listening = loop.create_task(self.listener.run(), context=Context())

    @property
    def runs(self) -> bool:
        """Whether the timer runs."""
        return self._task is not None and not self._task.done()

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop that the timer runs on; None where it does not run."""
        return None if self._task is None else self._task.get_loop()

    async def stop(self) -> None:
        """Send the tabs away, and write down how far every session came."""
        await self.hub.dismiss()
        (task, self._task), (listening, self._listening) = (self._task, None), (self._listening, None)
        for each in (task, listening):
            if each is not None:
                each.cancel()
                await asyncio.gather(each, return_exceptions=True)
        if task is not None:
            with suppress(StoreUnavailable):
                # What it would write down, the store knows when it is back.
                await self.timer.finish()
            await monitor.store().aclose()
        # A receiver that hangs must not hold up the process's other work meanwhile.
        await asyncio.to_thread(dispatcher.drain)


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
