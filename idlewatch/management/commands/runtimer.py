"""Run the timer in a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from signal import SIGINT, SIGTERM
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from idlewatch.monitor import service as monitor
from idlewatch.ops import metrics_server
from idlewatch.runtime.runtime import service


class Command(BaseCommand):
    """Run the timer: for sites whose web processes may all be down, or are not ASGI."""

    help = "Run the session timer in a process of its own, for a store that several processes share."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take where to serve the metrics."""
        parser.add_argument(
            "--metrics",
            metavar="[HOST:]PORT",
            help="Serve /metrics of this process there; on 127.0.0.1 unless a host is named.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until interrupted."""
        try:
            asyncio.run(self._run(options["metrics"]))
        except KeyboardInterrupt:
            self.stderr.write("The timer stops.")

    async def _run(self, metrics: str | None = None) -> None:
        async with self._serving(metrics):
            if not monitor.store().shared:
                self.stderr.write(
                    "The memory store belongs to the web process, and so does its timer: nothing to do here."
                )
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

    @asynccontextmanager
    async def _serving(self, metrics: str | None) -> AsyncIterator[None]:
        if metrics is None:
            yield
            return
        try:
            server = await metrics_server.serve(*metrics_server.address_of(metrics))
        except (ValueError, OSError) as error:
            raise CommandError(f"--metrics: {error}") from error
        async with server:
            yield
