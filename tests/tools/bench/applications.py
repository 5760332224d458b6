"""The ASGI applications that are measured, of which `BENCH_APPLICATION` names one, and the commands of a run beside it.

`bare` accepts a socket and decodes JSON. `usual` is what the documentation of Channels has: the user from
`AuthMiddlewareStack`, a group for each session. `product` is the project, as it is deployed. `peer` is the project
without idlewatch around it; the settings have django-session-security in the place of its middleware.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application
from django.db.backends.signals import connection_created

site = get_asgi_application()

from idlewatch import metrics  # noqa: E402 - Django has to be ready
from idlewatch.asgi import Application, watched  # noqa: E402 - as above
from idlewatch.core.events import Acted, Event, Extended  # noqa: E402 - as above
from idlewatch.monitor import stores  # noqa: E402 - as above
from idlewatch.process import now  # noqa: E402 - as above
from idlewatch.runtime import timer  # noqa: E402 - as above
from tests.tools.bench import profiler  # noqa: E402 - as above
from tests.tools.bench.sessions import WARM_UP_TABS  # noqa: E402 - as above

received = 0
"""Messages that the bare socket and the usual consumer received."""
written = 0
"""Rows that were written, without those of the sessions that warm the process up."""
sends: dict[object, Any] = {}
"""How each open socket is sent to, where frames are compared with direct ones."""
DIRECT_FRAME = (
    '{"type":"state","version":1780000000000,"phase":"direct","reason":"idle","remaining":20.0,"extendable":true,'
    '"held":false,"idle_timeout":40.0,"warn_before":20.0,"heartbeat":15.0}'
)
"""As long as one of idlewatch."""
YIELD_EVERY = 100
"""Frames."""
BATCH_SIZE = 500
WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")
UPKEEP = ("idlewatch_storeowner", "idlewatch_historysample")
"""The tables that a process writes to whatever users do: the lease on its store, and the samples of the chart."""


def count_writes(connection: Any, **_: Any) -> None:
    """Count what a connection writes."""
    # It connects again and again.
    if _count not in connection.execute_wrappers:
        connection.execute_wrappers.append(_count)


def _count(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    global written
    if sql.startswith(WRITES) and not any(table in sql for table in UPKEEP):
        spare = set(_listing()["watch_ids"][-WARM_UP_TABS:])
        # A checkpoint writes them later, with those that are measured.
        written += sum(spare.isdisjoint(row) for row in (params if many else [params]))
    return execute(sql, params, many, context)


profiler.permit_if_wanted()
if "BENCH_COUNT_WRITES" in os.environ:
    connection_created.connect(count_writes)
if "BENCH_NO_SEARCHES" in os.environ:
    # After the first one, at the start.
    timer.COMPARE_INTERVAL = 31_536_000.0


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """Accept a socket, and decode what it sends."""
    global received
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        json.loads(message["text"])
        received += 1


class UsualConsumer(AsyncWebsocketConsumer):
    """Joins the group of its session, which is sent each change."""

    async def connect(self) -> None:
        if not self.scope["user"].is_authenticated:
            await self.close()
            return
        self.group = f"session_{self.scope['session'].session_key}"
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        global received
        json.loads(text_data or "")
        received += 1

    async def changed(self, event: dict[str, str]) -> None:
        await self.send(text_data=event["text"])

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(self.group, self.channel_name)


async def heartbeats() -> int:
    """Return how many heartbeats were received so far."""
    if not received and not stores.current().shared:
        # It counts what it credits, and credits what waits before it answers.
        stores.current().sessions.get("")
    # A scrape would take milliseconds.
    return received + int(metrics.HEARTBEAT_BY_SOCKET._value.get())


async def writes() -> int:
    """Return how many rows were written so far."""
    return written


async def live_sessions() -> int:
    """Return how many live sessions the store has: after a start it resumes them from the records."""
    census = await stores.current().statistics.census()
    return census.active + census.warned


async def bind_keys() -> None:
    """Bind the keys of all sessions in the store, as their sign-ins do; after a restart it lacks them."""
    sessions = stores.current().sessions
    for watch_id, key in zip(_listing()["watch_ids"], _listing()["keys"], strict=True):
        sessions.bind(watch_id, key)


async def touch() -> float:
    """Have all users be active at one moment; return it, by the clock that the processes of a machine share."""
    moment = time.monotonic()
    await _apply(lambda _: Acted())
    return moment


async def extend() -> float:
    """Extend all sessions at one moment, and return it."""
    moment = time.monotonic()
    await _apply(lambda _: Extended())
    return moment


async def spread(seconds: str) -> float:
    """Have the last activity of all users be spread over so many seconds that are over; return the first moment."""
    span = float(seconds)
    moment = time.monotonic() - span
    await _apply(lambda part: Acted(span - span * part))
    return moment


async def act(count: str) -> None:
    """Have so many users be active, those whose sessions would end first."""
    at, sessions = now(), stores.current().sessions
    await asyncio.gather(*(sessions.aapply(each, Acted(), at) for each in islice(_in_turn(), int(count))))


async def direct() -> float:
    """Send a frame to all tabs by a loop; return when it began."""
    moment = time.monotonic()
    for number, send in enumerate(list(sends.values())):
        await send({"type": "websocket.send", "text": DIRECT_FRAME})
        if number % YIELD_EVERY == 0:
            await asyncio.sleep(0)
    return moment


async def _apply(event_of: Callable[[float], Event]) -> None:
    """Apply an event to each session, as of this moment; it depends on the session's place between 0 and 1."""
    at, watch_ids = now(), _listing()["watch_ids"]
    store = stores.current()
    for start in range(0, len(watch_ids), BATCH_SIZE):
        batch = enumerate(watch_ids[start : start + BATCH_SIZE], start)
        applying = [store.sessions.aapply(each, event_of(place / len(watch_ids)), at) for place, each in batch]
        if store.shared:
            await asyncio.gather(*applying)
            continue
        # One in memory waits for nothing: tasks would be a cost of the benchmark's own.
        for each in applying:
            await each
        await asyncio.sleep(0)


@cache
def _listing() -> dict[str, list[str]]:
    listing: dict[str, list[str]] = json.loads(Path(os.environ["BENCH_SESSIONS"]).read_text())
    return listing


@cache
def _in_turn() -> Iterator[str]:
    return cycle(_listing()["watch_ids"])


COMMANDS: dict[str, Callable[..., Awaitable[object]]] = {
    command.__name__: command
    for command in (heartbeats, writes, live_sessions, bind_keys, touch, extend, spread, act, direct)
}


async def control(scope: Any, receive: Any, send: Any) -> None:
    """Execute the commands of the benchmark."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        command, *words = message["text"].split()
        answer = await COMMANDS[command](*words)
        await send({"type": "websocket.send", "text": json.dumps(answer)})


def _measured() -> Application:
    match os.environ["BENCH_APPLICATION"]:
        case "bare":
            return bare
        case "usual":
            return AllowedHostsOriginValidator(AuthMiddlewareStack(UsualConsumer.as_asgi()))
        case "product":
            return watched(site)
        case "peer":
            return site
        case other:
            raise ValueError(f"BENCH_APPLICATION is {other!r}; expected bare, usual, product or peer.")


measured = _measured()


async def captured(scope: Any, receive: Any, send: Any) -> None:
    """Serve what is measured, and keep how each socket is sent to."""
    place = object()
    sends[place] = send
    try:
        await measured(scope, receive, send)
    finally:
        del sends[place]


served = captured if "BENCH_CAPTURE" in os.environ else measured


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Pass a scope to what is measured, or to `control`."""
    await (control if scope["path"] == "/bench/" else served)(scope, receive, send)
