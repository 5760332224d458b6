"""Run the timer in a process of its own."""

from __future__ import annotations

import asyncio
from signal import SIGINT, SIGTERM
from typing import Any

from django.core.management.base import BaseCommand

from idlewatch import monitor
from idlewatch.service import service


class Command(BaseCommand):
    """Run the timer: for sites whose web processes may all be down, or are not ASGI."""

    help = "Run the session timer in a process of its own, for a store that several processes share."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until interrupted."""
        try:
            asyncio.run(self._run())
        except KeyboardInterrupt:
            self.stderr.write("The timer stops.")

    async def _run(self) -> None:
        if not monitor.store().shared:
            self.stderr.write("The memory store belongs to the web process, and so does its timer: nothing to do here.")
            await asyncio.Event().wait()
        loop, stopping = asyncio.get_running_loop(), asyncio.Event()
        for signal in (SIGINT, SIGTERM):
            loop.add_signal_handler(signal, stopping.set)
        service().start()
        try:
            await stopping.wait()
            self.stderr.write("The timer stops.")
        finally:
            await service().stop()
