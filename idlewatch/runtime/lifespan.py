"""The `lifespan` protocol of ASGI: a server announces its start, and waits at its stop. Daphne does not speak it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

logger = logging.getLogger("idlewatch")

Message = MutableMapping[str, Any]


async def speak(
    application: Callable[[Any, Any, Any], Awaitable[Any]],
    scope: Any,  # noqa: ANN401 - as ASGI has it
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
    stop: Callable[[], Awaitable[None]],
) -> None:
    """Pass the protocol on to an application, and call `stop` before the application receives the server's shutdown.

    An application may raise an error instead, as Django's does. Any event that it leaves unanswered is answered here.
    """
    received, answered = set[str](), set[str]()

    async def receiving() -> Message:
        message = await receive()
        received.add(message["type"])
        if message["type"] == "lifespan.shutdown":
            await _stop_safely(stop)
        return message

    async def sending(message: Message) -> None:
        answered.add(message["type"])
        if message["type"] == "lifespan.startup.failed":
            # The server exits without another event.
            await _stop_safely(stop)
        await send(message)

    try:
        await application(scope, receiving, sending)
    except Exception:
        if answered:
            raise
    for event in ("lifespan.startup", "lifespan.shutdown"):
        if answered.isdisjoint({f"{event}.complete", f"{event}.failed"}):
            while event not in received:
                await receiving()
            await send({"type": f"{event}.complete"})


async def _stop_safely(stop: Callable[[], Awaitable[None]]) -> None:
    try:
        await stop()
    except Exception:
        # The application has to be stopped too, and the server waits for its answer.
        logger.exception("The process could not be stopped cleanly.")
