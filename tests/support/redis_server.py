"""A real Redis for the tests: one for each test process, on a free port, without a file on disk."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

import redis

from tests.support.serving import free_port

STARTS_WITHIN = 10.0


def executable(name: str = "redis-server") -> str:
    """Return the path of a program of Redis; without it the test fails, it is not skipped."""
    path = shutil.which(name) or shutil.which(name.replace("redis", "valkey"))
    if path is None:
        raise RuntimeError(f"{name} was not found: run scripts/ensure-servers.")
    return path


class RedisServer:
    """One Redis; what it keeps outlives `stop` and `start` where `persistent`."""

    def __init__(self, directory: Path, *options: str, port: int | None = None, persistent: bool = False) -> None:
        self.port = port or free_port()
        self.directory = directory
        self._options = [*(["--appendonly", "yes"] if persistent else ["--save", ""]), *options]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        command = [executable(), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.directory)]
        with (self.directory / "redis.log").open("ab") as log:
            self.process = subprocess.Popen([*command, *self._options], stdout=log, stderr=log)
        deadline = time.monotonic() + STARTS_WITHIN
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"Redis did not start:\n{(self.directory / 'redis.log').read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Kill it without a shutdown."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)

    def _answers(self) -> bool:
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
