"""Messages between processes over the channel layer: changes, notices, and how many tabs took a notice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, NamedTuple

from channels.layers import BaseChannelLayer, get_channel_layer
from django.core.exceptions import ImproperlyConfigured

from idlewatch.core.clock import Clock
from idlewatch.process import Process
from idlewatch.runtime.changes import CHANGES, aged, changes_in
from idlewatch.runtime.hub import Hub

logger = logging.getLogger("idlewatch")

GROUP = "idlewatch.hubs"
"""The one group of the channel layer: its members are the buses, one for each hub."""
NOTICE = "idlewatch.notice"
"""An operator's message to the tabs of some sessions; each process answers with the number of tabs that took it."""
ANSWER = "idlewatch.answer"
PING = "idlewatch.ping"
"""A question who listens: each process answers with its name, and does nothing else."""
PONG = "idlewatch.pong"
REJOIN_INTERVAL = 30.0
"""Seconds between joins: far below `group_expiry`, and soon after a Redis has lost its data."""
RETRY_PAUSE = 1.0
"""Seconds before a channel layer that failed is tried again."""
LAYER_TIMEOUT = 3.0
"""Seconds that a channel layer may take to accept a message."""


class Ack(NamedTuple):
    """Another process's answer to a notice."""

    process: str
    part: int
    """The number of the message, where a notice took several."""
    reached: int
    """The number of tabs that took the notice."""


class Bus:
    """Receives what other processes publish, and hands it to the hub."""

    def __init__(self, process: Process, hub: Hub) -> None:
        self._name = process.name
        self._clock = process.clock
        self._hub = hub
        self._answering: set[asyncio.Task[None]] = set()
        self._awaited: dict[str, asyncio.Queue[Ack]] = {}
        self.channel: str | None = None
        """Where other processes answer; None while the bus is not connected."""

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                await self._listen(get_channel_layer())
            except Exception as error:  # noqa: BLE001 - what a layer raises is its own affair
                # A push is a hint: what is missed, the timer finds out by itself.
                logger.warning("The channel layer failed (%s); retrying.", type(error).__name__)
            await self._clock.sleep(RETRY_PAUSE)

    async def _listen(self, layer: BaseChannelLayer | None) -> None:
        if layer is None:
            raise ImproperlyConfigured("There is no channel layer; expected CHANNEL_LAYERS to have 'default'.")
        channel = await layer.new_channel()
        async with staying(self._clock, layer, channel):
            self.channel = channel
            try:
                while True:
                    await self._handle(layer, await layer.receive(channel))
            finally:
                self.channel = None

    async def _handle(self, layer: BaseChannelLayer, message: Mapping[str, Any]) -> None:
        """Handle a message of another process, if it is valid."""
        try:
            if message["process"] != self._name:
                await self._dispatch(layer, message)
        except Exception as error:  # noqa: BLE001 - what another version says may be anything
            # Without its contents, and without the error's text, which may quote them.
            logger.warning("A message of type %r was dropped (%s).", message.get("type"), type(error).__name__)

    async def _dispatch(self, layer: BaseChannelLayer, message: Mapping[str, Any]) -> None:
        """Do what a message asks for; a type that this version does not know is ignored."""
        if message["type"] == CHANGES:
            now = self._clock.now()
            # A process of an earlier release sends no time.
            await self._hub.tell(aged(changes_in(message["changes"]), now - message.get("at", now)))
        elif message["type"] == NOTICE:
            self._start(self._answer(layer, message))
        elif message["type"] == PING:
            self._start(self._pong(layer, message))
        elif message["type"] == ANSWER and message["notice"] in self._awaited:
            self._awaited[message["notice"]].put_nowait(Ack(message["process"], message["part"], message["reached"]))

    def _start(self, answer: Coroutine[Any, Any, None]) -> None:
        """Answer a message; changes that come meanwhile do not wait for it."""
        answering = asyncio.create_task(answer)
        self._answering.add(answering)
        answering.add_done_callback(self._answering.discard)

    async def _pong(self, layer: BaseChannelLayer, message: Mapping[str, Any]) -> None:
        # A layer that fails is what the ping is to find out.
        with suppress(Exception):
            async with self._clock.timeout(LAYER_TIMEOUT):
                await layer.send(message["reply"], {"type": PONG, "process": self._name, "ping": message["ping"]})

    async def _answer(self, layer: BaseChannelLayer, message: Mapping[str, Any]) -> None:
        """Show a notice from another process, and answer with the number of tabs that took it."""
        try:
            reached = await self._hub.show(message["watch_ids"], message["frame"])
            about = {"notice": message["notice"], "part": message["part"]}
            async with self._clock.timeout(LAYER_TIMEOUT):
                await layer.send(message["reply"], {"type": ANSWER, "process": self._name, "reached": reached, **about})
        except Exception as error:  # noqa: BLE001 - what a layer raises is its own affair, and a message may be anything
            # The operator sees a lower number than there are.
            logger.warning("The number of tabs that a notice reached could not be reported (%s).", type(error).__name__)

    @contextmanager
    def collecting(self, notice: str) -> Iterator[asyncio.Queue[Ack]]:
        """Collect the acknowledgements of a notice by other processes."""
        answers = self._awaited[notice] = asyncio.Queue()
        try:
            yield answers
        finally:
            del self._awaited[notice]


@asynccontextmanager
async def staying(clock: Clock, layer: BaseChannelLayer, channel: str) -> AsyncIterator[None]:
    """Stay in the group, also when the membership expires or the layer forgets it; leave it at the end."""

    async def stay() -> None:
        while True:
            # In an outage this fails, and the next one counts.
            with suppress(Exception):
                async with clock.timeout(REJOIN_INTERVAL):
                    await layer.group_add(GROUP, channel)
            await clock.sleep(REJOIN_INTERVAL)

    task = asyncio.create_task(stay())
    try:
        yield
    finally:
        task.cancel()
        # Messages to an unread channel stay in memory. In an outage, the membership has to expire.
        with suppress(Exception):
            async with clock.timeout(LAYER_TIMEOUT):
                # A join that is under way would undo it.
                await asyncio.gather(task, return_exceptions=True)
                await layer.group_discard(GROUP, channel)
