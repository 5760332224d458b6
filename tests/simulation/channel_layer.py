"""The channel layer between simulated processes: it delays, repeats and drops messages."""

from __future__ import annotations

import asyncio
import copy
from collections import defaultdict
from contextvars import Context
from itertools import count
from typing import TYPE_CHECKING, Any

from channels.layers import BaseChannelLayer

if TYPE_CHECKING:
    from random import Random


class Exchange:
    """What the layers of all processes have in common in one schedule."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self.is_away = False
        self.is_lossy = False
        self.seen: set[str] = set()
        """The incidents of `events` that occurred."""
        self.queues: defaultdict[str, asyncio.Queue[dict[str, Any]]] = defaultdict(asyncio.Queue)
        self.groups: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self.numbers = count()

    async def travel(self) -> None:
        """Take the time of a message to the server."""
        await asyncio.sleep(self._rng.expovariate(1 / 0.002))
        if self.is_away:
            raise ConnectionError("the channel layer is away")

    def deliver(self, channel: str, message: dict[str, Any]) -> None:
        """Bring a message to a channel, in a while, once as a rule."""
        loop, delays = asyncio.get_running_loop(), [self._rng.expovariate(1 / 0.003)]
        if self.is_lossy:
            fate = self._rng.choice(["dropped", "delayed", "repeated", None])
            if fate is not None:
                self.seen.add(f"message {fate}")
            if fate == "dropped":
                return
            if fate == "delayed":
                delays = [self._rng.uniform(0.5, 20.0)]
            if fate == "repeated":
                delays.append(self._rng.uniform(0.0, 5.0))
        for delay in delays:
            # In a context of no process: a message travels whether its sender lives or not.
            loop.call_later(delay, self.queues[channel].put_nowait, copy.deepcopy(message), context=Context())


class Layer(BaseChannelLayer):  # type: ignore[misc]
    """The backend of `CHANNEL_LAYERS`."""

    exchange: Exchange

    def __init__(self, **_: Any) -> None:
        super().__init__()

    async def new_channel(self, prefix: str = "specific") -> str:
        return f"{prefix}.{next(self.exchange.numbers)}"

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        await self.exchange.travel()
        self.exchange.deliver(channel, message)

    async def receive(self, channel: str) -> dict[str, Any]:
        if self.exchange.is_away:
            await self.exchange.travel()
        return await self.exchange.queues[channel].get()

    async def group_add(self, group: str, channel: str) -> None:
        await self.exchange.travel()
        self.exchange.groups[group][channel] = None

    async def group_discard(self, group: str, channel: str) -> None:
        await self.exchange.travel()
        self.exchange.groups[group].pop(channel, None)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        await self.exchange.travel()
        for channel in list(self.exchange.groups[group]):
            self.exchange.deliver(channel, message)
