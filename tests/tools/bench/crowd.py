"""The site with a crowd in it: sessions that report activity as their pages would, and a count of what is asked.

`/bench/fill/<n>/` has so many sessions in, `/bench/counts/` tells how often the database and the store were asked.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from random import Random
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
site_without_sessions = get_asgi_application()

from asgiref.sync import sync_to_async  # noqa: E402 - the apps have to be ready
from django.contrib.auth.models import User  # noqa: E402
from django.db.backends.utils import CursorWrapper  # noqa: E402

from idlewatch.asgi import watched  # noqa: E402
from idlewatch.core.events import Acted  # noqa: E402
from idlewatch.monitor import service as monitor  # noqa: E402
from idlewatch.process import now  # noqa: E402
from tests.unit.live.operators import people  # noqa: E402

HEARTBEAT = 15.0
TURNS = 20
"""Turns in a second: heartbeats come spread."""

site = watched(site_without_sessions)
counts: Counter[str] = Counter()
crowd: list[str] = []
beating: set[asyncio.Task[None]] = set()
execute = CursorWrapper.execute


def executed(self: Any, *args: Any, **kwargs: Any) -> Any:
    counts["sql"] += 1
    return execute(self, *args, **kwargs)


CursorWrapper.execute = executed  # type: ignore[method-assign]


def count_calls() -> None:
    """Count the operators' questions to the store: each is one round trip."""
    store = monitor.store()
    for name in ("acensus", "alist", "aget_all", "asamples"):
        asked = getattr(store, name)

        async def answered(*args: Any, asked: Any = asked, **kwargs: Any) -> Any:
            counts["store"] += 1
            return await asked(*args, **kwargs)

        setattr(store, name, answered)


async def beat() -> None:
    """Report activity in every session once in a heartbeat."""
    at = 0
    while True:
        for _ in range(max(1, round(len(crowd) / HEARTBEAT / TURNS))):
            at = (at + 1) % len(crowd)
            await monitor.store().sessions.aapply(crowd[at], Acted(0.5), now())
        await asyncio.sleep(max(1 / TURNS, HEARTBEAT / len(crowd)))


async def fill(count: int) -> None:
    user = await User.objects.aget(username="crowd")
    watches = await sync_to_async(people)(count - len(crowd), start=len(crowd), user=user, checkpoint=7200.0)
    crowd.extend(each.id for each in watches)
    # Neighbours in the table do not act at the same time.
    Random(0).shuffle(crowd)
    if not beating:
        count_calls()
        beating.add(asyncio.get_running_loop().create_task(beat()))


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Route a scope."""
    path = scope["path"]
    if not path.startswith("/bench/"):
        await site(scope, receive, send)
        return
    if path.startswith("/bench/fill/"):
        await fill(int(path.split("/")[3]))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(counts).encode()})
