"""A proxy on loopback that delays, drops or swallows what goes through it."""

from __future__ import annotations

import asyncio
import threading
from enum import Enum

from tests.support.serving import free_port


class Mode(Enum):
    PASS = "pass"
    HANG = "hang"
    """Connections are taken, and nothing goes through."""
    DROP = "drop"
    """Connections are closed, and none is taken."""


class Proxy:
    """Stands before a server; what it does can be changed while it runs."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.mode = Mode.PASS
        self.delay = 0.0
        """Seconds for which each piece is held back."""
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(10)

    def set(self, mode: Mode) -> None:
        self.mode = mode
        if mode is Mode.DROP:
            self._loop.call_soon_threadsafe(self._abort_all)

    def _abort_all(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._stopped = asyncio.Event()
        server = await asyncio.start_server(self._pass, "127.0.0.1", self.port)
        self._ready.set()
        async with server:
            await self._stopped.wait()
            self._abort_all()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        there: asyncio.StreamWriter | None = None
        try:
            if self.mode is Mode.DROP:
                return
            beyond, there = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.add(there)
            await asyncio.gather(self._pump(reader, there), self._pump(beyond, writer))
        except OSError:
            return
        finally:
            for each in (writer, there):
                if each is not None:
                    self._writers.discard(each)
                    each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65536):
            if self.delay:
                await asyncio.sleep(self.delay)
            while self.mode is Mode.HANG:  # noqa: ASYNC110 - it is set from another thread
                await asyncio.sleep(0.05)
            if writer.transport.is_closing():
                return
            writer.write(piece)
            await writer.drain()
        writer.transport.abort()
