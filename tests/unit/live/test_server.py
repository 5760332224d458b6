"""The live socket on a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websockets

from tests.support.serving import Server, demo

pytestmark = [pytest.mark.server]

WITHIN = 10.0
SIGN_IN = """
from django.conf import settings; from django.contrib.auth import get_user_model; from django.test import Client
client = Client(); client.force_login(get_user_model().objects.get(username="{name}"))
print(settings.SESSION_COOKIE_NAME + "=" + client.cookies[settings.SESSION_COOKIE_NAME].value)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with demo(tmp_path) as server:
        yield server


def sign_in(server: Server, name: str) -> str:
    return server.manage("shell", "--verbosity", "0", "-c", SIGN_IN.format(name=name)).strip()


def connect(server: Server, cookie: str) -> Any:
    url = server.socket_url("/ws/idlewatch/live/")
    return websockets.connect(url, origin=server.origin, additional_headers={"Cookie": cookie})


async def frame(socket: websockets.ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(WITHIN):
        told: dict[str, Any] = json.loads(await socket.recv())
    await socket.send(json.dumps({"type": "seen", "frame": told["frame"]}))
    return told


async def closed(socket: websockets.ClientConnection) -> int | None:
    async with asyncio.timeout(WITHIN):
        await socket.wait_closed()
    return socket.close_code


@pytest.mark.rule("R26")
@pytest.mark.rule("R14")
def test_operators_see_the_sessions_until_the_server_goes_away(server: Server):
    operator, user = sign_in(server, "admin"), sign_in(server, "demo")

    async def watch() -> None:
        async with connect(server, user) as refused:
            assert await closed(refused) == 4403
        async with connect(server, operator) as socket:
            await socket.send('{"type": "watch", "query": 1, "sort": "user"}')
            page = await frame(socket)
            while page["type"] == "unavailable":
                # It has yet to read the records.
                page = await frame(socket)
            assert {"admin"} <= {row["user"] for row in page["rows"]}
            url = server.socket_url("/ws/idlewatch/tab/")
            headers = {"Cookie": user}
            async with websockets.connect(url, origin=server.origin, additional_headers=headers) as tab:
                await tab.recv()
                told: dict[str, Any] = {}
                while not any(row.get("tabs") == 1 for row in told.get("rows", {}).values()):
                    told = await frame(socket)
            going = asyncio.create_task(asyncio.to_thread(server.stop))
            assert await closed(socket) == 4503
            assert await going == 0

    asyncio.run(watch())
