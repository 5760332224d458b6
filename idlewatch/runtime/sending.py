"""Sends what was settled, while the next sessions are claimed and settled in a shared store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from idlewatch.runtime.publisher import Publisher, Settled


class Sending:
    """Sends one batch at a time: the frames of a session leave in the order in which they were settled.

    At the end of the block the latest batch is sent, and the first error is raised.
    """

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._task: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None

    @property
    def has_failed(self) -> bool:
        """Whether a batch could not be sent, so that no more is to be settled."""
        return self._failure is not None

    async def send(self, settled: Sequence[Settled], now: float) -> None:
        """Send what was settled at `now`, after the batches before."""
        await self._finish()
        await self._publisher.send(settled, now)

    async def begin(self, settled: Sequence[Settled], now: float) -> None:
        """Begin to send what was settled at `now`, in a task of its own, once the batches before are sent."""
        await self._finish()
        self._task = asyncio.create_task(self._publisher.send(settled, now))

    async def _finish(self) -> None:
        """Wait until everything is sent; keep the first error."""
        if self._task is not None:
            (outcome,) = await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
            self._failure = self._failure or outcome

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A cancelled `gather` cancels what it waits for.
        if isinstance(error, asyncio.CancelledError) and self._task is not None:
            self._task.cancel()
        await self._finish()
        if error is None and self._failure is not None:
            raise self._failure
