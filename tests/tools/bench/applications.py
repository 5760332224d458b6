"""The ASGI applications that are measured, of which `BENCH_APPLICATION` names one, and beside it what it did.

`bare` accepts a socket and decodes JSON. `usual` is what the documentation of Channels has: the user from
`AuthMiddlewareStack`, a group for each session. `product` is the project, as it is deployed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
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
from idlewatch.monitor import stores  # noqa: E402 - as above

received = 0
"""Messages that the bare socket and the usual consumer received."""
written = 0
"""Statements that wrote into the database, but for the lease of the process itself, which no user causes."""
WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")
LEASE = "idlewatch_storeowner"


def count_writes(connection: Any, **_: Any) -> None:
    """Count what a connection writes."""
    connection.execute_wrappers.append(_count)


def _count(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001 - Django's
    global written
    if sql.startswith(WRITES) and LEASE not in sql:
        written += len(params) if many else 1
    return execute(sql, params, many, context)


if "BENCH_COUNT_WRITES" in os.environ:
    connection_created.connect(count_writes)


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
    # A scrape would take milliseconds.
    return received + int(metrics.HEARTBEAT_BY_SOCKET._value.get())


async def writes() -> int:
    """Return how many statements wrote so far."""
    return written


async def live_sessions() -> int:
    """Return how many sessions the store knows: after a start it resumes them from the records."""
    census = await stores.current().statistics.census()
    return census.active + census.warned


async def bind_keys() -> None:
    """Have the store know the keys of all sessions, as after their sign-ins; after a restart it does not."""
    listing = json.loads(Path(os.environ["BENCH_SESSIONS"]).read_text())
    sessions = stores.current().sessions
    for watch_id, key in zip(listing["watch_ids"], listing["keys"], strict=True):
        sessions.bind(watch_id, key)


COMMANDS: dict[str, Callable[[], Awaitable[object]]] = {
    command.__name__: command for command in (heartbeats, writes, live_sessions, bind_keys)
}


async def control(scope: Any, receive: Any, send: Any) -> None:
    """Answer the benchmark's own questions."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        answer = await COMMANDS[message["text"]]()
        await send({"type": "websocket.send", "text": json.dumps(answer)})


def _measured() -> Application:
    match os.environ["BENCH_APPLICATION"]:
        case "bare":
            return bare
        case "usual":
            return AllowedHostsOriginValidator(AuthMiddlewareStack(UsualConsumer.as_asgi()))
        case "product":
            return watched(site)
        case other:
            raise ValueError(f"BENCH_APPLICATION is {other!r}; expected bare, usual or product.")


measured = _measured()


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Route a scope to what is measured, or to the questions about it."""
    await (control if scope["path"] == "/bench/" else measured)(scope, receive, send)
