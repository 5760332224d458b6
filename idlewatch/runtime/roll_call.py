"""Finds out which processes receive what is sent over the channel layer, by a message that each of them answers."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection, Mapping
from contextlib import suppress

from channels.layers import BaseChannelLayer

from idlewatch.core.clock import Clock
from idlewatch.runtime.bus import GROUP, PING, PONG


async def call_roll(
    layer: BaseChannelLayer, clock: Clock, name: str, awaited: Collection[str], within: float
) -> Mapping[str, float]:
    """Return which processes answered, and after how many seconds.

    `name`: of the process that asks. It returns when those that are `awaited` have answered, and after `within`
    seconds at most.

    Raises:
        TimeoutError: the layer does not take the message in time.
        Exception: it fails, in a way of its own.
    """
    answers, are_here = dict[str, float](), asyncio.Event()
    ping = secrets.token_hex(8)

    async def collect() -> None:
        while True:
            message = await layer.receive(channel)
            if message.get("type") == PONG and message.get("ping") == ping:
                answers.setdefault(str(message["process"]), clock.ticks() - sent_at)
                if awaited and answers.keys() >= set(awaited):
                    are_here.set()

    async with clock.timeout(within):
        channel = await layer.new_channel()
    sent_at = clock.ticks()
    collecting = asyncio.create_task(collect())
    try:
        async with clock.timeout(within):
            await layer.group_send(GROUP, {"type": PING, "process": name, "reply": channel, "ping": ping})
        with suppress(TimeoutError):
            async with clock.timeout(within):
                await are_here.wait()
    finally:
        # A layer over pub/sub unsubscribes when a receive is cancelled.
        collecting.cancel()
        await asyncio.wait([collecting])
    if not collecting.cancelled():
        # The layer failed while it received.
        collecting.result()
    return answers


async def send_to_itself(layer: BaseChannelLayer, clock: Clock, within: float) -> float:
    """Send a message to a channel of this process; return the seconds until it arrived.

    Raises:
        TimeoutError: it did not arrive in time.
        Exception: the layer fails, in a way of its own.
    """
    async with clock.timeout(within):
        # Subscribe before sending: a layer over pub/sub stores no messages.
        channel = await layer.new_channel()
        sent_at = clock.ticks()
        try:
            await layer.send(channel, {"type": "idlewatch.ready"})
            await layer.receive(channel)
            return clock.ticks() - sent_at
        finally:
            # Such a layer unsubscribes when a receive is cancelled.
            waiting = asyncio.ensure_future(layer.receive(channel))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting])
