"""Sends to many sockets, none of which delays the others: a server's `send` may wait for the client to read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from typing import Generic, TypeVar

from idlewatch.process import Process

YIELD_EVERY = 100
"""Sends after which the event loop gets its turn: a send on Daphne never yields by itself."""
MAX_WAITING = 1000
"""Sends that may wait at once for their clients; beyond that, the next ones wait for one of these."""

S = TypeVar("S")
Sends = Iterable[tuple[S, Awaitable[None]]]
"""Sockets, each with an awaitable that sends to it and raises nothing."""


class FanOut(Generic[S]):
    """Sends one after the other, in one task; a send that waits keeps that task, and another goes on with the rest."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._waiting: set[asyncio.Task[None]] = set()

    async def send(
        self, sends: Sends[S], seconds: float, give_up: Callable[[S], Awaitable[None]] | None = None
    ) -> Collection[asyncio.Task[None]]:
        """Start each send; once each is done or waits for its client, return the tasks of those that wait.

        A send that has waited for `seconds` is cancelled, and `give_up` is called with its socket.
        """
        left, waiting = iter(sends), list[asyncio.Task[None]]()
        while True:
            turn = _Turn(left)
            task = self._process.start(turn.run())
            while not (task.done() or turn.is_sending):  # noqa: ASYNC110 - one turn of the event loop at a time
                await asyncio.sleep(0)
            if task.done():
                task.result()
                return waiting
            turn.is_last = True
            waiting.append(task)
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)
            self._process.start(self._limit(task, turn.socket, seconds, give_up))
            while len(self._waiting) >= MAX_WAITING:
                await asyncio.wait(self._waiting, return_when=asyncio.FIRST_COMPLETED)

    async def _limit(
        self, task: asyncio.Task[None], socket: S, seconds: float, give_up: Callable[[S], Awaitable[None]] | None
    ) -> None:
        try:
            async with self._process.clock.timeout(seconds):
                await asyncio.wait({task})
        except TimeoutError:
            task.cancel()
            if give_up is not None:
                await give_up(socket)


class _Turn(Generic[S]):
    """The part of the sends that one task does."""

    socket: S

    def __init__(self, left: Iterator[tuple[S, Awaitable[None]]]) -> None:
        self._left = left
        self.is_sending = False
        self.is_last = False
        """Whether another task goes on with the rest."""

    async def run(self) -> None:
        for number, (socket, send) in enumerate(self._left, 1):
            self.socket, self.is_sending = socket, True
            await send
            self.is_sending = False
            if self.is_last:
                return
            if number % YIELD_EVERY == 0:
                await asyncio.sleep(0)
