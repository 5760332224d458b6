"""Run the timer in a process of its own."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from signal import SIGINT, SIGTERM
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from idlewatch.conf.extras import Extra, is_installed
from idlewatch.monitor import stores
from idlewatch.process import current_process
from idlewatch.runtime.runtime import runtime_of


class Command(BaseCommand):
    """Run the timer: for sites whose web processes may all be down, or do not run under ASGI."""

    help = "Run the session timer in a process of its own, for a store that several processes share."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the address of the metrics."""
        parser.add_argument(
            "--metrics",
            metavar="[HOST:]PORT",
            help="serve /metrics of this process at this address; the default host is 127.0.0.1",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until interrupted."""
        try:
            asyncio.run(self._run(options["metrics"]))
        except KeyboardInterrupt:
            self.stderr.write("The timer stops.")

    async def _run(self, metrics: str | None = None) -> None:
        async with AsyncExitStack() as stack:
            if metrics is not None:
                await _serve(metrics, stack)
            if not stores.current().shared:
                self.stderr.write("The memory store and its timer belong to the web process: nothing to do here.")
                await asyncio.Event().wait()
            loop, stopping = asyncio.get_running_loop(), asyncio.Event()
            for signal in (SIGINT, SIGTERM):
                loop.add_signal_handler(signal, stopping.set)
            runtime = runtime_of(current_process())
            runtime.start()
            try:
                await stopping.wait()
                self.stderr.write("The timer stops.")
            finally:
                await runtime.stop()


async def _serve(address: str, stack: AsyncExitStack) -> None:
    if not is_installed(Extra.METRICS):
        raise CommandError(f"--metrics: the package 'prometheus-client' is not installed: {Extra.METRICS.command}")
    from idlewatch.ops import metrics_server  # noqa: PLC0415 - prometheus_client is needed by this option alone

    try:
        await stack.enter_async_context(metrics_server.serving(*metrics_server.parse_address(address)))
    except (ValueError, OSError) as error:
        raise CommandError(f"--metrics: {error}") from error
