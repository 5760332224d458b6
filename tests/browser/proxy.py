"""A proxy on loopback that treats sockets in one way and everything else in another."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto


class Way(Enum):
    """What becomes of a connection."""

    PASS = auto()
    REFUSE = auto()
    """Answered with a 403, as by a firewall."""
    FAIL = auto()
    """Answered with a 502 and a page of HTML, as by a gateway whose server is away."""
    CUT = auto()
    """Closed, and none taken."""
    SWALLOW = auto()
    """What was open stays open, and what opens is answered; then nothing goes through, either way."""
    SWALLOW_DOWN = auto()
    """The same, for what the server says alone."""
    SWALLOW_UP = auto()
    """The same, for what the page says alone."""
    FORBID = auto()
    """A socket opens and is closed with 4403 at once."""
    DRIP = auto()
    """Answered by 5 MB that take for ever."""


ANSWERS = {
    Way.REFUSE: b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    Way.FAIL: b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 20\r\nConnection: close\r\n\r\n"
    b"<h1>Bad Gateway</h1>",
    Way.DRIP: b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5000000\r\nConnection: close\r\n\r\n",
}
DOWN = {Way.SWALLOW, Way.SWALLOW_DOWN}
FORBIDDEN = b"\x88\x02" + (4403).to_bytes(2, "big")
UP = {Way.SWALLOW, Way.SWALLOW_UP}


class Proxy:
    """Stands before a server; what it does can be changed while it runs, for connections that are open too."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self.sockets = Way.PASS
        self.requests = Way.PASS
        self.slowness = 0.0
        """Seconds for which each 16 KB are held back on their way up."""
        self.latency = 0.0
        """Seconds for which each piece is held back, either way."""
        self.attempts: list[float] = []
        """When sockets were asked for."""
        self._target = target
        self._open: dict[asyncio.StreamWriter, bool] = {}
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(10)

    def set(self, way: Way) -> None:
        """Treat everything alike."""
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
        for writer, each in list(self._open.items()):
            if each == is_socket:
                writer.transport.abort()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._stopped = asyncio.Event()
        server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        async with server:
            await self._stopped.wait()
            for writer in list(self._open):
                writer.transport.abort()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            is_socket = b"\r\nupgrade: websocket" in head.lower()
            if is_socket:
                self.attempts.append(time.monotonic())
            self._open[writer] = is_socket
            way = self.sockets if is_socket else self.requests
            if way is Way.CUT:
                return
            if way in ANSWERS:
                await self._answer(writer, way)
                return
            beyond, there = await asyncio.open_connection("127.0.0.1", self._target)
            writers.append(there)
            there.write(head)
            # The handshake's answer goes through whatever comes of the frames.
            writer.write(await beyond.readuntil(b"\r\n\r\n") if is_socket else b"")
            if way is Way.FORBID:
                writer.write(FORBIDDEN)
                await asyncio.sleep(0.5)
                return
            await asyncio.gather(self._pump(reader, there, is_socket, UP), self._pump(beyond, writer, is_socket, DOWN))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            # One side went, or the test is over.
            return
        finally:
            self._open.pop(writer, None)
            for each in writers:
                each.transport.abort()

    async def _answer(self, writer: asyncio.StreamWriter, way: Way) -> None:
        writer.write(ANSWERS[way])
        await writer.drain()
        while way is Way.DRIP:
            writer.write(b" " * 100)
            await writer.drain()
            await asyncio.sleep(0.1)
        writer.write_eof()
        await asyncio.sleep(0.2)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_socket: bool, swallowing: set[Way]
    ) -> None:
        while piece := await reader.read(16384):
            await asyncio.sleep(self.latency + (self.slowness if swallowing is UP else 0))
            if (self.sockets if is_socket else self.requests) in swallowing:
                continue
            writer.write(piece)
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
