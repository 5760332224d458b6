"""Print what the two channel layers in Redis cost, and how they take a restart: delay, processor time, silence.

Run it with `python -m tests.tools.bench.layers [messages]`. Four processes listen as web processes do; one more
publishes.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import django
from channels.layers import get_channel_layer
from django.conf import settings

from idlewatch.process import current_process
from idlewatch.runtime.bus import GROUP, Bus, message_of
from idlewatch.runtime.hub import Change, Hub
from tests.support.redis_server import RedisServer
from tests.support.serving import ROOT
from tests.tools.bench.__main__ import used

LAYERS = {"core": "channels_redis.core.RedisChannelLayer", "pub/sub": "channels_redis.pubsub.RedisPubSubChannelLayer"}
MEMBERS = 4
IDLE = 10.0
"""Seconds for which the processes are left alone, to see what that costs."""
OFTEN = 0.02
LONGEST = 60.0


class Result(NamedTuple):
    """What one layer did."""

    delays: Sequence[float]
    idle: float
    restart: float
    flushed: float


class Told:
    """A tab that passes on when it was told of what, and when that was sent."""

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
    hub.join("bench", Told())
    await Bus(current_process(), hub).run()


class Members:
    """The processes that listen."""

    def __init__(self, layer: str, url: str) -> None:
        command = [sys.executable, "-m", "tests.tools.bench.layers", layer, url]
        self.processes = [
            subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            for _ in range(MEMBERS)
        ]
        for process in self.processes:
            assert process.stdout is not None
            os.set_blocking(process.stdout.fileno(), False)
        self.heard: list[dict[int, float]] = [{} for _ in self.processes]

    def read(self) -> None:
        for process, heard in zip(self.processes, self.heard, strict=True):
            assert process.stdout is not None
            for line in process.stdout.readlines():
                number, delay = line.split()
                heard[int(number)] = float(delay)

    def have_heard(self, number: int) -> bool:
        self.read()
        return all(any(each >= number for each in heard) for heard in self.heard)

    def used(self) -> float:
        return sum(used(process.pid)[0] for process in self.processes) / MEMBERS

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


class Publisher:
    """Sends what a timer would."""

    def __init__(self, members: Members) -> None:
        self.members = members
        self.layer = get_channel_layer()
        self.number = 0

    async def send(self) -> None:
        self.number += 1
        frame = json.dumps([self.number, time.monotonic()])
        await self.layer.group_send(
            GROUP,
            message_of(current_process().name, [Change("bench", frame, ended=False, shown=("warned", "idle", True))]),
        )

    async def until_heard(self) -> float:
        """Send until each member has heard something of it; return the seconds, infinite where it takes too long."""
        logged_in_at, first = time.monotonic(), self.number + 1
        while not self.members.have_heard(first):
            if time.monotonic() > logged_in_at + LONGEST:
                return float("inf")
            with suppress(Exception):
                await self.send()
            await asyncio.sleep(OFTEN)
        return time.monotonic() - logged_in_at


async def measure(redis: RedisServer, layer: str, messages: int) -> Result:
    """See how one layer does."""
    members = Members(layer, redis.url)
    try:
        publisher = Publisher(members)
        await publisher.until_heard()
        await asyncio.sleep(1)

        first = publisher.number + 1
        for _ in range(messages):
            await publisher.send()
            await asyncio.sleep(OFTEN)
        await asyncio.sleep(1)
        members.read()
        delays = [delay for heard in members.heard for number, delay in heard.items() if number >= first]

        before = members.used()
        await asyncio.sleep(IDLE)
        idle = (members.used() - before) / IDLE

        redis.stop()
        await asyncio.to_thread(redis.start)
        restart = await publisher.until_heard()

        await asyncio.sleep(1)
        with redis.client() as client:
            client.flushall()
        flushed = await publisher.until_heard()
    finally:
        members.stop()
    return Result(delays, idle, restart, flushed)


def bench(layer: str, messages: int) -> Result:
    """Measure a layer on a Redis of its own."""
    with tempfile.TemporaryDirectory() as directory:
        redis = RedisServer(Path(directory))
        redis.start()
        try:
            configure(layer, redis.url)
            return asyncio.run(measure(redis, layer, messages))
        finally:
            redis.stop()


def report(layer: str, result: Result, messages: int) -> None:
    median, worst = statistics.median(result.delays), statistics.quantiles(result.delays, n=100)[-1]
    lost = messages * MEMBERS - len(result.delays)
    print(
        f"{layer:8} {median * 1e3:6.1f} ms median {worst * 1e3:6.1f} ms p99  {lost:3} lost  {result.idle:6.2%} idle"
        f"  heard {result.restart:5.1f} s after a restart, {result.flushed:5.1f} s after FLUSHALL",
        flush=True,
    )


def main(*words: str) -> None:
    """Be a member, measure one layer, or have each layer measured."""
    if len(words) == 2 and words[1].startswith("redis:"):
        configure(*words)
        asyncio.run(listen())
    elif words and words[0] in LAYERS:
        messages = int(words[1])
        report(words[0], bench(words[0], messages), messages)
    else:
        messages = words[0] if words else "500"
        print(f"{messages} messages to {MEMBERS} processes; idle is processor time of each of them", flush=True)
        for layer in LAYERS:
            # Settings are configured once a process.
            subprocess.run([sys.executable, "-m", "tests.tools.bench.layers", layer, messages], cwd=ROOT, check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
