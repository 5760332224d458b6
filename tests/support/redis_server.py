"""A real Redis for the tests: one for each test process, on a free port, without a file on disk."""

from __future__ import annotations

import atexit
import shutil
import signal
import tempfile
from functools import cache
from pathlib import Path

import redis

from tests.support.serving import ServerProcess, find_program


def executable(name: str = "redis-server") -> str:
    """Return the path of a program of Redis."""
    return find_program(name, name.replace("redis", "valkey"), remedy="run scripts/ensure-servers")


class RedisServer(ServerProcess):
    """One Redis; what it keeps outlives `stop` and `start` where `persistent`."""

    def __init__(self, directory: Path, *options: str, port: int | None = None, persistent: bool = False) -> None:
        super().__init__(directory / "redis.log", port)
        self.directory = directory
        self._options = [*(["--appendonly", "yes"] if persistent else ["--save", ""]), *options]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        where = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.directory)]
        self.launch([executable(), *where, *self._options])

    def stop(self, how: signal.Signals = signal.SIGKILL) -> int | None:
        """Kill it without a shutdown."""
        return super().stop(how)

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)

    def listens(self) -> bool:
        """Return whether it has loaded its data, too."""
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@cache
def shared_redis() -> RedisServer:
    """Return the Redis of this test process, for tests that do it no harm."""
    directory = tempfile.mkdtemp(prefix="idlewatch-redis-")
    server = RedisServer(Path(directory))
    server.start()
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    atexit.register(server.stop)
    return server


def redis_url() -> str:
    return shared_redis().url


def calm(url: str, prefix: str) -> None:
    """Let a store be one that has lost nothing: what the clock ends in it may be settled."""
    with redis.Redis.from_url(url) as client:
        client.hset(f"{prefix}epoch", mapping={"created_at": 0, "settle_after": 0})
        client.expire(f"{prefix}epoch", 86_400)
