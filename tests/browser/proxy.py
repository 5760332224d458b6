"""A proxy on loopback that treats sockets in one way and requests in another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto

from tests.support import proxy as plain
from tests.support.proxy import CHUNK


class Way(Enum):
    """What becomes of a connection."""

    PASS = auto()
    REFUSE = auto()
    """Answered with a 403, as by a firewall."""
    FAIL = auto()
    """Answered with a 502 and a page of HTML, as by a gateway whose server is away."""
    CUT = auto()
    """Closed, and none is accepted."""
    SWALLOW = auto()
    """What was open stays open, and what opens is answered; then nothing goes through, either way."""
    SWALLOW_DOWN = auto()
    """The same, for what the server sends alone."""
    SWALLOW_UP = auto()
    """The same, for what the page sends alone."""


ANSWERS = {
    Way.REFUSE: b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    Way.FAIL: b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 20\r\nConnection: close\r\n\r\n"
    b"<h1>Bad Gateway</h1>",
}
DOWN = {Way.SWALLOW, Way.SWALLOW_DOWN}
UP = {Way.SWALLOW, Way.SWALLOW_UP}


class Proxy(plain.Proxy):
    """Stands before a web server."""

    def __init__(self, target: int) -> None:
        super().__init__(target)
        self.sockets = Way.PASS
        self.requests = Way.PASS
        self.attempts: list[float] = []
        """When sockets were asked for."""
        self._is_socket: dict[asyncio.StreamWriter, bool] = {}

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def set_all(self, way: Way) -> None:
        self.set_sockets(way)
        self.set_requests(way)

    def set_sockets(self, way: Way) -> None:
        self.sockets = way
        self._loop.call_soon_threadsafe(self._close, True, way)

    def set_requests(self, way: Way) -> None:
        self.requests = way
        self._loop.call_soon_threadsafe(self._close, False, way)

    def _close(self, is_socket: bool, way: Way) -> None:
        # A connection that swallows stays as it is; otherwise what is open would hide the new way.
        if way in DOWN | UP or (is_socket and way is Way.PASS):
            return
        self._abort([writer for writer in self._writers if self._is_socket.get(writer) is is_socket])

    async def _treat(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, opened: list[asyncio.StreamWriter]
    ) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self._is_socket[writer] = is_socket = b"\r\nupgrade: websocket" in head.lower()
        if is_socket:
            self.attempts.append(time.monotonic())
        way = self.sockets if is_socket else self.requests
        if way is Way.CUT:
            return
        if way in ANSWERS:
            writer.write(ANSWERS[way])
            await writer.drain()
            writer.write_eof()
            await asyncio.sleep(0.2)
            return
        server, to_server = await asyncio.open_connection("127.0.0.1", self._target)
        opened.append(to_server)
        to_server.write(head)
        # The handshake's answer goes through whatever becomes of the frames.
        writer.write(await server.readuntil(b"\r\n\r\n") if is_socket else b"")
        await asyncio.gather(
            self._forward(reader, to_server, is_socket, UP), self._forward(server, writer, is_socket, DOWN)
        )

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_socket: bool, swallowing: set[Way]
    ) -> None:
        while chunk := await reader.read(CHUNK):
            await asyncio.sleep(self.latency)
            if (self.sockets if is_socket else self.requests) in swallowing:
                continue
            writer.write(chunk)
            await writer.drain()
        writer.transport.abort() if is_socket else writer.close()


@contextmanager
def proxy(target: int) -> Iterator[Proxy]:
    """Stand before a server's port."""
    proxy = Proxy(target)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
