"""Applications of broken sites, each made where a server asks for it."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

from idlewatch.asgi import watched

django_application = get_asgi_application()


def _http_alone() -> Any:
    """Return a router around the watched application: it knows no sockets."""
    return ProtocolTypeRouter({"http": watched(django_application)})


def _hanging_timer() -> Any:
    """Return an application whose timer waits for what never comes."""
    from idlewatch.runtime.timer import Timer

    async def run(_: Timer) -> None:
        await asyncio.Event().wait()

    Timer.run = run  # type: ignore[method-assign]
    return watched(django_application)


def _failing_timer() -> Any:
    """Return an application whose timer ends by an error."""
    from idlewatch.runtime.timer import Timer

    async def run(_: Timer) -> None:
        raise RuntimeError("broken by the test")

    Timer.run = run  # type: ignore[method-assign]
    return watched(django_application)


def _maybe_deaf() -> Any:
    """Return an application that does not listen to the others, where its environment asks for that."""
    from idlewatch.runtime.bus import Bus

    async def run(_: Bus) -> None:
        await asyncio.Event().wait()

    if os.environ.get("DEAF"):
        Bus.run = run  # type: ignore[method-assign]
    return watched(django_application)


MADE = {
    "unwatched": lambda: django_application,
    "http_alone": _http_alone,
    "hanging_timer": _hanging_timer,
    "failing_timer": _failing_timer,
    "maybe_deaf": _maybe_deaf,
}


def __getattr__(name: str) -> Any:
    return MADE[name]()
