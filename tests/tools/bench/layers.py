"""Print what the two channel layers in Redis cost, and how they take a restart: delay, processor time, outage.

Run it with `python -m tests.tools.bench.layers [messages]`. Four processes listen as web processes do; one more
publishes.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from asyncio.subprocess import Process as Subprocess
from contextlib import suppress
from pathlib import Path

import django
from channels.layers import get_channel_layer
from django.conf import settings

from idlewatch.process import current_process
from idlewatch.runtime.bus import GROUP, Bus
from idlewatch.runtime.changes import Change, message_of
from idlewatch.runtime.hub import Hub
from tests.support.redis_server import RedisServer
from tests.support.serving import ROOT
from tests.tools.bench.machine import cpu_seconds

LAYERS = {"core": "channels_redis.core.RedisChannelLayer", "pub/sub": "channels_redis.pubsub.RedisPubSubChannelLayer"}
LISTENERS = 4
IDLE_SECONDS = 10.0
"""For which the listeners are left alone, to see what that costs."""
SEND_INTERVAL = 0.02
RECOVERY_TIMEOUT = 60.0


class Tab:
    """A tab that prints the number of each frame, and how long it took."""

    async def tell(self, frame: str, *, ended: bool) -> None:
        number, sent = json.loads(frame)
        print(number, time.monotonic() - sent, flush=True)

    async def dismiss(self) -> None:
        """Do nothing: no socket is closed here."""


def configure(layer: str, url: str) -> None:
    config = {"hosts": [{"address": url, "socket_timeout": None}], "prefix": "bench"}
    settings.configure(CHANNEL_LAYERS={"default": {"BACKEND": LAYERS[layer], "CONFIG": config}}, LOGGING_CONFIG=None)
    django.setup()


async def listen() -> None:
    """Listen as a web process does."""
    hub = Hub(current_process())
    hub.join("bench", Tab())
    await Bus(current_process(), hub).run()


class Bench:
    """Sends what a timer would, and collects the delays of each listener by the numbers of the messages."""

    def __init__(self, listeners: list[Subprocess]) -> None:
        self.listeners = listeners
        self.delays: list[dict[int, float]] = [{} for _ in listeners]
        self.layer = get_channel_layer()
        self.number = 0

    async def read(self) -> None:
        async def collect(listener: Subprocess, delays: dict[int, float]) -> None:
            assert listener.stdout is not None
            async for line in listener.stdout:
                number, delay = line.split()
                delays[int(number)] = float(delay)

        await asyncio.gather(*map(collect, self.listeners, self.delays))

    def used(self) -> float:
        return sum(cpu_seconds(each.pid) for each in self.listeners) / len(self.listeners)

    async def send(self) -> None:
        self.number += 1
        frame = json.dumps([self.number, time.monotonic()])
        change = Change("bench", frame, ended=False, shown=("warned", "idle", True))
        await self.layer.group_send(GROUP, message_of(current_process().name, [change], current_process().clock.now()))

    async def until_received(self) -> float:
        """Send until each listener has received something; return the seconds, infinite where it takes too long."""
        began, before = time.monotonic(), self.number
        while not all(any(number > before for number in delays) for delays in self.delays):
            if time.monotonic() > began + RECOVERY_TIMEOUT:
                return float("inf")
            with suppress(Exception):
                await self.send()
            await asyncio.sleep(SEND_INTERVAL)
        return time.monotonic() - began


async def measure(redis: RedisServer, layer: str, messages: int) -> None:
    """Print how one layer does."""
    command = [sys.executable, "-m", "tests.tools.bench.layers", layer, redis.url]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    bench = Bench([await asyncio.create_subprocess_exec(*command, cwd=ROOT, **pipes) for _ in range(LISTENERS)])
    reading = asyncio.create_task(bench.read())
    try:
        await bench.until_received()
        await asyncio.sleep(1)

        first = bench.number + 1
        for _ in range(messages):
            await bench.send()
            await asyncio.sleep(SEND_INTERVAL)
        await asyncio.sleep(1)
        delays = [delay for received in bench.delays for number, delay in received.items() if number >= first]

        before = bench.used()
        await asyncio.sleep(IDLE_SECONDS)
        idle = (bench.used() - before) / IDLE_SECONDS

        redis.stop()
        await asyncio.to_thread(redis.start)
        restart = await bench.until_received()

        await asyncio.sleep(1)
        with redis.client() as client:
            client.flushall()
        flushed = await bench.until_received()
    finally:
        for listener in bench.listeners:
            listener.kill()
        await reading
    median, p99 = statistics.median(delays), statistics.quantiles(delays, n=100)[-1]
    print(
        f"{layer:8} {median * 1e3:6.1f} ms median {p99 * 1e3:6.1f} ms p99"
        f"  {messages * LISTENERS - len(delays):3} lost  {idle:6.2%} idle"
        f"  received {restart:5.1f} s after a restart, {flushed:5.1f} s after FLUSHALL",
        flush=True,
    )


def main(*words: str) -> None:
    """Listen, measure one layer on a Redis of its own, or have each layer measured."""
    if len(words) == 2 and words[1].startswith("redis:"):
        configure(*words)
        asyncio.run(listen())
    elif words and words[0] in LAYERS:
        with tempfile.TemporaryDirectory() as directory:
            redis = RedisServer(Path(directory))
            redis.start()
            try:
                configure(words[0], redis.url)
                asyncio.run(measure(redis, words[0], int(words[1])))
            finally:
                redis.stop()
    else:
        messages = words[0] if words else "500"
        print(f"{messages} messages to {LISTENERS} processes; idle is processor time of each of them", flush=True)
        for layer in LAYERS:
            # Settings are configured once a process.
            subprocess.run([sys.executable, "-m", "tests.tools.bench.layers", layer, messages], cwd=ROOT, check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
