"""The way from the processes to Redis, and what goes wrong on it.

Redis is a real server, which answers at once. The link decides how long an answer takes in virtual time, and whether it
comes; `redis_connections` obeys.
"""

from __future__ import annotations

import select
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

    import redis

    from tests.simulation.redis_connections import SyncSocket

NOW_KEY = "simulation:now"
"""Where the script that asks for the time finds the virtual one; see `time_source`."""


def time_source(text: str) -> str:
    """Return the text of a script with the virtual time in the place of the server's own."""
    return text.replace("redis.call('TIME')", f"redis.call('HMGET', '{NOW_KEY}', 's', 'us')")


class RedisLink:
    """Decides what happens to the commands that are sent to one Redis."""

    def __init__(self, rng: Random, path: str, admin: redis.Redis) -> None:
        self._rng = rng
        self.path = path
        self.admin = admin
        self.is_away = False
        self.hangs = False
        """Away without an error: no connection is refused, and nothing is answered."""
        self.is_lossy = False
        self.is_slow = False
        self.loses_wakeups = False
        self.is_closed = False
        self.clock_offset = 0.0
        """Seconds by which its server's clock was set."""
        self.seen: set[str] = set()
        """The incidents of `events` that occurred."""
        self.generation = 0
        """Grows when all connections are cut."""
        self.listening: list[SyncSocket] = []
        """Those that wait for a published message."""
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
        for waiting in list(self.listening):
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
        """Wait, in real time, until the server has answered what it was sent: it answers at the end of a turn."""
        for _ in range(2):
            self._other.sendall(b"PING\r\n")
            self._other.recv(64)

    def after(self, sent: bytes) -> None:
        """Wake those who wait for a message that was published by what was sent."""
        if any(sha in sent for sha in self.publishing_shas):
            self.synchronize()
        waiting = [each for each in self.listening if not each.is_woken]
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

    def connect(self) -> socket.socket:
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
