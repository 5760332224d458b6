"""A browser made of bare requests and sockets: it does what a page's client does, and shows each frame."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.integration.server.visitors import FETCH
from tests.sites import limits
from tests.sites.device import CONFIG, Device, Guest, Place, Tab, brief, until
from tests.sites.row import Row
from tests.support.serving import Server

GONE = 1001
"""With what browsers close the sockets of a tab that is closed."""


class WireTab(Tab):
    """A socket, and what came over it."""

    def __init__(self, device: Wire, connection: ClientConnection) -> None:
        self.device = device
        self.socket = connection
        self.url = ""
        self.frames: list[dict[str, Any]] = []
        self.reading = asyncio.create_task(self._read())

    @property
    def state(self) -> dict[str, Any]:
        """The newest state."""
        states = [frame for frame in self.frames if frame["type"] == "state"]
        return states[-1] if states else {"phase": "unknown", "reason": None}

    async def phase(self) -> str:
        return str(self.state["phase"])

    async def act(self) -> None:
        await self.say("activity", ago=0)

    async def extend(self) -> None:
        await self.say("extend")

    async def place(self) -> Place:
        await until(self.reading.done, "The ended tab is closed")
        assert (self.state["reason"], self.socket.close_code) == ("idle", 4401)
        assert self.state["login_url"], "an ended frame leads to the sign-in"
        return await self.device.visit()

    async def say(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def reset(self) -> None:
        """Vanish by a reset, as from a network that is gone."""
        connection = self.socket.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.transport.abort()

    async def finish(self) -> None:
        """Vanish by the end of the connection alone, as behind a proxy that gave up."""
        self.socket.transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    async def _read(self) -> None:
        with suppress(ConnectionClosed):
            async for message in self.socket:
                frame = json.loads(message)
                self.warned = self.warned or frame.get("phase") == "warned"
                self.frames.append(frame)


class Wire(Device):
    def __init__(self, row: Row, server: Server, asked: Mapping[str, float] = limits.BRIEF) -> None:
        super().__init__(row, server)
        self.guest: Guest = brief(row, server, asked)
        self.page = ""
        self.tabs: list[WireTab] = []

    async def sign_in(self) -> None:
        await asyncio.to_thread(self._sign_in)

    def _sign_in(self) -> None:
        wanted = self.row.outside(self.row.page)
        place, response = self.guest.browse(wanted)
        if self.row.public:
            assert CONFIG.search(place.text) is None, "the page of a visitor has a client"
            place, response = self.guest.browse(self.sign_in_url)
        assert place.path == self.row.outside(self.row.sign_in.path), f"{wanted} leads to {place.url}"
        if self.row.sign_in.link is not None:
            place, response = self.guest.follow_link(place, self.row.sign_in.link)
        for fields in (self.row.sign_in.fields, *self.row.sign_in.then):
            place, response = self.guest.send(place, fields)
        assert (place.path, response.status) == (wanted, 200), f"Signing in led to {place.url}: {place.text[:2000]}"
        self.page = place.text

    async def open(self) -> WireTab:
        config = await asyncio.to_thread(self.guest.config)
        return await self.connect(self.guest.socket_url(config))

    async def connect(self, url: str) -> WireTab:
        tab = WireTab(self, await self.guest.connect(url=url))
        tab.url = url
        self.tabs.append(tab)
        return tab

    async def poll(self) -> None:
        response = await asyncio.to_thread(self.guest.get, self.row.outside(self.row.api), FETCH)
        assert response.status in {200, 401}, response.status

    async def close(self) -> None:
        await asyncio.gather(*(tab.socket.close(GONE) for tab in self.tabs))
        self.tabs.clear()

    async def leave(self) -> None:
        """Let go of every socket that is still open."""
        for tab in self.tabs:
            tab.socket.transport.abort()
            await tab.reading
        self.tabs.clear()

    async def visit(self) -> Place:
        place, _ = await asyncio.to_thread(self.guest.browse, self.row.outside(self.row.page))
        return place

    async def cookies(self) -> dict[str, str]:
        return dict(self.guest.cookies)

    async def text(self) -> str:
        return self.page
