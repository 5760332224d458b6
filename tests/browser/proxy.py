"""A proxy on loopback that can treat sockets and requests differently."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto

from tests.support import proxy as plain
from tests.support.proxy import CHUNK


class Way(Enum):
    """Treatments of a connection."""

    PASS = auto()
    REFUSE = auto()
    """Answered with a 403, as by a firewall."""
    CUT = auto()
    """Closed, and none is accepted."""
    SWALLOW = auto()
    """Open connections stay open, new ones get their handshake, and nothing else goes through."""


FORBIDDEN = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Proxy(plain.Proxy):
    """Stands before a web server."""

    def __init__(self, target: int) -> None:
        super().__init__(target)
        self.sockets = Way.PASS
        self.requests = Way.PASS
        self._is_socket: dict[asyncio.StreamWriter, bool] = {}

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def set_all(self, way: Way) -> None:
        self.set_sockets(way)
        self.requests = way
        self._loop.call_soon_threadsafe(self._close, False, way)

    def set_sockets(self, way: Way) -> None:
        self.sockets = way
        self._loop.call_soon_threadsafe(self._close, True, way)

    def _close(self, is_socket: bool, way: Way) -> None:
        # A connection that swallows stays as it is; otherwise what is open would hide the new way.
        if way is Way.SWALLOW or (is_socket and way is Way.PASS):
            return
        self._abort([writer for writer in self._writers if self._is_socket.get(writer) is is_socket])

    async def _treat(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, opened: list[asyncio.StreamWriter]
    ) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self._is_socket[writer] = is_socket = b"\r\nupgrade: websocket" in head.lower()
        way = self.sockets if is_socket else self.requests
        if way is Way.CUT:
            return
        if way is Way.REFUSE:
            writer.write(FORBIDDEN)
            await writer.drain()
            writer.write_eof()
            await asyncio.sleep(0.2)
            return
        server, to_server = await asyncio.open_connection("127.0.0.1", self._target)
        opened.append(to_server)
        to_server.write(head)
        # The handshake's answer goes through whatever becomes of the frames.
        writer.write(await server.readuntil(b"\r\n\r\n") if is_socket else b"")
        await asyncio.gather(self._forward(reader, to_server, is_socket), self._forward(server, writer, is_socket))

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_socket: bool) -> None:
        while chunk := await reader.read(CHUNK):
            if (self.sockets if is_socket else self.requests) is Way.SWALLOW:
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
