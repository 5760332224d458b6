"""redis-py's connections, over real sockets, in virtual time: a `RedisLink` decides what comes through."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import redis.asyncio
import redis.asyncio.connection
import redis.connection

from tests.simulation.threads import pause, wait_for

if TYPE_CHECKING:
    from tests.simulation.redis_link import RedisLink
    from tests.simulation.servers import Server

LONG = 8192
"""Bytes of commands from which on their answers come in pieces."""


class End:
    """The end of a connection at its process."""

    def __init__(self, link: RedisLink, server: Server) -> None:
        self.link = link
        self.server = server
        self.real = link.connect()
        self.generation = link.generation
        self.fate: str | None = None
        """How something was lost (`RedisLink.fate`): then nothing comes through any more, as in a stream."""
        self.sent = b""

    def check(self) -> None:
        if self.link.is_closed or self.link.is_away or self.generation != self.link.generation:
            raise ConnectionResetError("Redis closed the connection")

    def put(self, data: bytes) -> None:
        self.sent = data
        self.real.sendall(self.link.with_time(data, self.server.world.now))
        if b"CLIENT" in data or len(data) > LONG:
            # Several answers may come together, or one by one.
            self.link.synchronize()

    def close(self) -> None:
        self.real.close()


class SyncSocket(End):
    """A socket of a thread."""

    def __init__(self, link: RedisLink, server: Server, timeout: float | None) -> None:
        super().__init__(link, server)
        self._timeout = timeout
        self._woken: asyncio.Future[None] | None = None
        self._expects = False

    def settimeout(self, timeout: float | None) -> None:
        self._timeout = timeout

    def sendall(self, data: bytes) -> None:
        pause(self.link.latency())
        self.check()
        self.fate = self.fate or self.link.fate()
        if self.fate != "request":
            self.put(data)
        self._expects = True

    def recv_into(self, buffer: bytearray) -> int:
        if not self._expects:
            return self._receive_published(buffer)
        if self.fate is not None:
            if self.fate == "answer":
                self.real.recv_into(buffer)
                self.link.after(self.sent)
            pause(self._timeout or 1.0)
            raise TimeoutError("Redis does not answer")
        size = self.real.recv_into(buffer)
        # A longer answer comes in pieces.
        self._expects = size == len(buffer)
        self.link.after(self.sent)
        pause(self.link.latency())
        self.check()
        return size

    @property
    def is_woken(self) -> bool:
        return self._woken is None or self._woken.done()

    def wake(self, after: float = 0.0) -> None:
        woken = self._woken
        if woken is not None and not woken.done():
            asyncio.get_running_loop().call_later(after, lambda: woken.done() or woken.set_result(None))

    def _receive_published(self, buffer: bytearray) -> int:
        self.check()
        if self._timeout and not select.select([self.real], [], [], 0)[0]:
            loop = asyncio.get_running_loop()
            woken = self._woken = loop.create_future()
            self.link.listening.append(self)
            timer = loop.call_later(self._timeout or 0.0, lambda: woken.done() or woken.set_result(None))
            try:
                wait_for(woken)
            finally:
                timer.cancel()
                self.link.listening.remove(self)
            self.check()
        if not select.select([self.real], [], [], 0)[0]:
            raise TimeoutError("nothing was published")
        return self.real.recv_into(buffer)

    def shutdown(self, _how: int) -> None:
        """Nothing waits in the kernel."""


class SyncConnection(redis.connection.Connection):
    """redis-py's connection for threads."""

    def _connect(self) -> Any:
        pause(self.simulated_link.latency())
        return SyncSocket(self.simulated_link, self.simulated_server, self.socket_timeout)


class Writer:
    """The half of an event loop's connection that sends."""

    def __init__(self, end: End) -> None:
        self._end = end
        self._data: list[bytes] = []

    def writelines(self, data: Iterable[bytes]) -> None:
        self._data.extend(data)

    def write(self, data: bytes) -> None:
        self._data.append(data)

    async def drain(self) -> None:
        end = self._end
        await asyncio.sleep(end.link.latency())
        # What a stopped process has not sent, it sends when it goes on.
        await end.server.awake()
        end.check()
        end.fate = end.fate or end.link.fate()
        data, self._data = b"".join(self._data), []
        if end.fate != "request":
            end.put(data)

    def close(self) -> None:
        self._end.close()

    async def wait_closed(self) -> None:
        """It is closed."""


class Reader:
    """The half that receives."""

    def __init__(self, end: End) -> None:
        self._end = end

    async def read(self, size: int = 65536) -> bytes:
        end = self._end
        if end.fate == "answer":
            end.real.recv(size)
            end.link.after(end.sent)
        if end.fate is not None:
            await asyncio.get_running_loop().create_future()
        data = end.real.recv(size)
        end.link.after(end.sent)
        await asyncio.sleep(end.link.latency())
        await end.server.awake()
        end.check()
        return data


class AsyncConnection(redis.asyncio.connection.Connection):
    """redis-py's connection for event loops."""

    async def _connect(self) -> None:
        await asyncio.sleep(self.simulated_link.latency())
        if self.simulated_link.hangs:
            async with asyncio.timeout(self.socket_connect_timeout):
                await asyncio.get_running_loop().create_future()
        end = End(self.simulated_link, self.simulated_server)
        self._reader, self._writer = Reader(end), Writer(end)

    async def can_read_destructive(self) -> bool:
        """Return False: an answer that was not read belongs to a connection that is given up."""
        return False


def use(client: Any, link: RedisLink, server: Server) -> Any:
    """Have a client of redis-py go over the link."""
    pool = client.connection_pool
    base = AsyncConnection if isinstance(client, redis.asyncio.Redis) else SyncConnection
    pool.connection_class = type(base.__name__, (base,), {"simulated_link": link, "simulated_server": server})
    return client
