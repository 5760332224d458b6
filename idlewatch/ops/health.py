"""Whether this process can do its work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from channels.layers import get_channel_layer
from django.db import connections, router

from idlewatch.models import WatchedSession
from idlewatch.monitor import service as monitor
from idlewatch.process import Lane, current_process, in_thread, now
from idlewatch.runtime.runtime import running_runtime

PATIENCE = 3.0
"""Seconds to wait for each answer."""
LATE = 10.0
"""Seconds without a round after which the timer is taken for stuck."""


async def problems() -> dict[str, str]:
    """Return what is wrong, by the part it is wrong with."""
    parts: dict[str, Callable[[], Awaitable[None]]] = {
        "database": _database,
        "store": _store,
        "channel layer": _channel_layer,
        "timer": _timer,
    }
    found, clock = {}, current_process().clock
    for part, look in parts.items():
        try:
            async with clock.timeout(PATIENCE):
                await look()
        except Exception as error:  # noqa: BLE001 - whatever keeps a part from its work is what is asked for
            found[part] = str(error) or type(error).__name__
    return found


async def _database() -> None:
    def ask() -> None:
        with connections[router.db_for_read(WatchedSession)].cursor() as cursor:
            cursor.execute("SELECT 1")

    await in_thread(Lane.DATABASE, ask)


async def _store() -> None:
    await monitor.store().ping()


async def _channel_layer() -> None:
    layer = get_channel_layer()
    if layer is None:
        return
    # Subscribed before anything is sent: a layer over pub/sub keeps no message.
    channel = await layer.new_channel()
    try:
        await layer.send(channel, {"type": "idlewatch.ready"})
        await layer.receive(channel)
    finally:
        # Such a layer lets go of a channel when who waits for it is cancelled.
        waiting = asyncio.ensure_future(layer.receive(channel))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])


async def _timer() -> None:
    found = running_runtime(current_process())
    if found is None:
        raise RuntimeError("it does not run: is the ASGI application wrapped with idlewatch.asgi.watched?")
    timer = found.timer
    if timer.membership.refused:
        raise RuntimeError("the memory store belongs to another process")
    if timer.kept_at is None or now() - timer.kept_at > LATE:
        raise RuntimeError(f"it has not kept a round for {LATE:g} s")
