"""A proxy on loopback before a server of a test."""

from __future__ import annotations

import asyncio
import threading
from enum import Enum, auto

from tests.support.serving import free_port

CHUNK = 16_384


class Way(Enum):
    """What becomes of a connection."""

    PASS = auto()
    CUT = auto()
    """Closed, and none is accepted."""
    HOLD = auto()
    """It stays open, and what is sent goes through only later."""


class Proxy:
    """Passes everything on; what it does can be changed while it runs, for connections that are open too."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.way = Way.PASS
        self.latency = 0.0
        """Seconds for which each chunk is held back, either way."""
        self._target = target
        self._writers: list[asyncio.StreamWriter] = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(10)

    def set(self, way: Way) -> None:
        self.way = way
        if way is Way.CUT:
            self._loop.call_soon_threadsafe(self._abort, self._writers)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._stopped = asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self._ready.set()
        async with server:
            await self._stopped.wait()
            self._abort(self._writers)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened = [writer]
        self._writers.append(writer)
        try:
            await self._treat(reader, writer, opened)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            # One side went, or the test is over.
            pass
        finally:
            self._writers.remove(writer)
            self._abort(opened)

    async def _treat(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, opened: list[asyncio.StreamWriter]
    ) -> None:
        """Do to a new connection what is to be done; what it opens is added, to be closed at the end."""
        if self.way is Way.CUT:
            return
        server, to_server = await asyncio.open_connection("127.0.0.1", self._target)
        opened.append(to_server)
        await asyncio.gather(self._pump(reader, to_server), self._pump(server, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK):
            await asyncio.sleep(self.latency)
            while self.way is Way.HOLD:  # noqa: ASYNC110 - it is set from another thread
                await asyncio.sleep(0.05)
            writer.write(chunk)
            await writer.drain()
        writer.transport.abort()

    @staticmethod
    def _abort(writers: list[asyncio.StreamWriter]) -> None:
        for writer in writers:
            writer.transport.abort()
