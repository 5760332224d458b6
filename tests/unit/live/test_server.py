"""The live socket on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import websockets

from idlewatch.core.protocol import LIVE_PATH, TAB_PATH
from tests.integration.server.visitors import Tab
from tests.support.serving import Server, demo

pytestmark = [pytest.mark.server]

SIGN_IN = """
from django.conf import settings; from django.contrib.auth import get_user_model; from django.test import Client
client = Client(); client.force_login(get_user_model().objects.get(username="{name}"))
print(settings.SESSION_COOKIE_NAME + "=" + client.cookies[settings.SESSION_COOKIE_NAME].value)
"""


@asynccontextmanager
async def opened(server: Server, name: str, path: str) -> AsyncIterator[Tab]:
    """Open a socket of a user who signs in for it."""
    headers = {"Cookie": server.manage("shell", "--verbosity", "0", "-c", SIGN_IN.format(name=name)).strip()}
    async with websockets.connect(server.socket_url(path), origin=server.origin, additional_headers=headers) as socket:
        yield Tab(socket)


async def next_frame(page: Tab) -> dict[str, Any]:
    frame = await page.frame()
    await page.say("seen", frame=frame["frame"])
    return frame


@pytest.mark.rule("R26")
@pytest.mark.rule("R14")
async def test_operators_see_the_sessions_until_the_server_goes_away(tmp_path: Path):
    with demo(tmp_path) as server:
        async with opened(server, "demo", LIVE_PATH) as refused:
            assert await refused.rest() == ([], 4403)
        async with opened(server, "admin", LIVE_PATH) as page:
            await page.say("watch", query=1, sort="user")
            frame = await next_frame(page)
            while frame["type"] == "unavailable":
                # It has yet to read the records.
                frame = await next_frame(page)
            assert {"admin"} <= {row["user"] for row in frame["rows"]}
            async with opened(server, "demo", TAB_PATH):
                changed: dict[str, Any] = {}
                while not any(row.get("tabs") == 1 for row in changed.values()):
                    changed = (await next_frame(page)).get("rows", {})
            stopping = asyncio.create_task(asyncio.to_thread(server.stop))
            _, code = await page.rest()
            assert (code, await stopping) == (4503, 0)
