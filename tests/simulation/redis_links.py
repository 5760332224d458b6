"""The way from a process to Redis: redis-py's connections, over real sockets, in virtual time and with faults.

Redis is a real server. An answer comes as fast as it can; how long that took, and whether it came, the link says.
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import redis
import redis.asyncio
import redis.asyncio.connection
import redis.connection

from tests.simulation.threads import pause, wait_for

if TYPE_CHECKING:
    from random import Random

    from tests.simulation.servers import Server

NOW_KEY = "simulation:now"
"""Where the script that asks for the time finds the virtual one; see `time_source`."""

LONG = 8192
"""Bytes of commands from which on their answers come in pieces."""


def time_source(text: str) -> str:
    """Return the text of a script with the virtual time in the place of the server's own."""
    return text.replace("redis.call('TIME')", f"redis.call('HMGET', '{NOW_KEY}', 's', 'us')")


class RedisLink:
    """Carries commands to one Redis, and says what happens to them."""

    def __init__(self, rng: Random, path: str, admin: redis.Redis) -> None:
        self._rng = rng
        self.path = path
        self.admin = admin
        self.is_away = False
        self.hangs = False
        """Away without a word: no connection is refused, and nothing is answered."""
        self.is_lossy = False
        self.is_slow = False
        self.loses_wakeups = False
        self.is_closed = False
        self.clock_offset = 0.0
        """Seconds by which its server's clock was set."""
        self.seen: set[str] = set()
        self.generation = 0
        """Grows when all connections are cut."""
        self._listening: list[SyncSocket] = []
        self._opened: list[socket.socket] = []
        self._lives: dict[bytes, tuple[float, float]] = {}
        """For each key its time to live when it was looked at last, and when that ends (seconds)."""
        self.time_shas: set[bytes] = set()
        self.publishing_shas: set[bytes] = set()
        self._other = self._open()

    def latency(self) -> float:
        """Return how long a message travels."""
        return self._rng.expovariate(1 / (0.15 if self.is_slow else 0.001))

    def cut(self) -> None:
        """Break every connection."""
        self.generation += 1
        for waiting in list(self._listening):
            waiting.wake()

    def fate(self) -> str | None:
        """Return what becomes of the next exchange: None, or the way in which it is lost."""
        if self.hangs:
            return "request"
        if self.is_lossy and self._rng.random() < 0.15:
            how = "request" if self._rng.random() < 0.5 else "answer"
            self.seen.add(f"redis lost {how}")
            return how
        return None

    def with_time(self, data: bytes, now: float) -> bytes:
        """Return what to send: where a script asks for the time, the server is told it first, and answers nothing."""
        if not any(sha in data for sha in self.time_shas):
            return data
        at = now + self.clock_offset
        tell = f"CLIENT REPLY SKIP\r\nHSET {NOW_KEY} s {int(at)} us {int(at % 1 * 1_000_000)}\r\n"
        return tell.encode() + data

    def synchronize(self) -> None:
        """Wait until the server has done, and sent, what it was asked before: it answers at the end of a turn."""
        for _ in range(2):
            self._other.sendall(b"PING\r\n")
            self._other.recv(64)

    def after(self, sent: bytes) -> None:
        """Wake those who wait for a message that was published by what was sent."""
        if any(sha in sent for sha in self.publishing_shas):
            self.synchronize()
        waiting = [each for each in self._listening if not each.is_woken]
        if waiting:
            readable, _, _ = select.select([each.real for each in waiting], [], [], 0)
            for each in waiting:
                if each.real in readable:
                    if self.loses_wakeups and self._rng.random() < 0.5:
                        each.real.recv(65536)
                        self.seen.add("wakeup lost")
                    else:
                        each.wake(self.latency())

    def dump(self) -> dict[bytes, tuple[int, bytes]]:
        """Return a snapshot."""
        keys = self.admin.keys("*")
        return {key: (max(self.admin.pttl(key), 0), self.admin.dump(key)) for key in keys}

    def restore(self, snapshot: dict[bytes, tuple[int, bytes]]) -> None:
        """Have a snapshot in the place of everything."""
        self.admin.flushall()
        for key, (ttl, value) in snapshot.items():
            self.admin.restore(key, ttl, value)

    def expire(self, now: float) -> None:
        """Delete what has outlived its time to live, by virtual time: real time hardly passes."""
        for key in self.admin.keys("*"):
            left = self.admin.pttl(key) / 1000
            before, until = self._lives.get(key, (float("-inf"), 0.0))
            if left > before:
                # It was set, or its life prolonged.
                until = now + left
            self._lives[key] = left, until
            if left > 0 and until <= now:
                self.admin.delete(key)
                del self._lives[key]

    def promote(self) -> None:
        """Give the server another replication id, as a replica has that was promoted."""
        self.admin.replicaof("127.0.0.1", "1")
        self.admin.replicaof("NO", "ONE")

    def connect(self, timeout: float | None) -> socket.socket:
        """Open a connection."""
        if self.is_closed or self.is_away:
            raise ConnectionRefusedError("Redis is away")
        if self.hangs:
            raise TimeoutError("Redis does not answer")
        return self._open()

    def _open(self) -> socket.socket:
        real = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        real.settimeout(5)
        real.connect(self.path)
        self._opened.append(real)
        return real

    def close(self) -> None:
        """End every connection: the schedule is over."""
        self.is_closed = True
        for real in self._opened:
            real.close()


class End:
    """One end of a connection, with what both kinds have in common."""

    def __init__(self, link: RedisLink, server: Server) -> None:
        self.link = link
        self.server = server
        self.real = link.connect(None)
        self.generation = link.generation
        self.fate: str | None = None
        """How something was lost: nothing comes through any more, since a stream lacks nothing in its middle."""
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
            self.link._listening.append(self)
            timer = loop.call_later(self._timeout or 0.0, lambda: woken.done() or woken.set_result(None))
            try:
                wait_for(woken)
            finally:
                timer.cancel()
                self.link._listening.remove(self)
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
