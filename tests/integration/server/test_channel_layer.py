"""What the channel layers in Redis do: hold on through silence, and come back after faults."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from channels.layers import BaseChannelLayer
from django.utils.module_loading import import_string
from redis.exceptions import RedisError

from idlewatch.process import current_process
from idlewatch.runtime.bus import GROUP, Bus
from idlewatch.runtime.changes import Change, message_of
from idlewatch.runtime.hub import Hub
from tests.integration.server.visitors import Visitor, story
from tests.integration.site import CORE, running
from tests.support.redis_server import RedisServer
from tests.support.sockets import FakeTab

PUBSUB = "channels_redis.pubsub.RedisPubSubChannelLayer"
SILENCE = 65.0
WITHIN = 15.0


async def wait_in_silence(directory: Path, layer: str) -> None:
    """Leave tabs alone for a minute; then another process sends them a notice, and ends their session."""
    with running(directory, IDLEWATCH_IDLE_TIMEOUT="600", LAYER=layer) as site:
        here, there = site.webs
        visitor = await asyncio.to_thread(Visitor, here, "silent")
        watch_id = json.loads(visitor.get("/watch-id/").text)["watch_id"]
        async with visitor.tab() as one, visitor.tab() as two:
            visitor.server = there
            async with visitor.tab() as three:
                tabs = (one, two, three)
                assert story([tab.first for tab in tabs]) == [("active", None)] * 3
                received = [asyncio.create_task(tab.socket.recv()) for tab in tabs]
                # Whatever came, a frame or a close, would end the wait.
                done, _ = await asyncio.wait(received, timeout=SILENCE, return_when=asyncio.FIRST_COMPLETED)
                assert not done
                text = "First line\nsecond, <b>bold</b>"
                query = urlencode({"text": text, "watch": watch_id})
                sent = await asyncio.to_thread(visitor.get, f"/notify/?{query}")
                assert json.loads(sent.text) == {"reached": 3, "open": 3}
                frames = [json.loads(message) for message in await asyncio.gather(*received)]
                assert [(frame["type"], frame["text"]) for frame in frames] == [("notice", text)] * 3
                assert len({frame["id"] for frame in frames}) == 1
                assert (await asyncio.to_thread(visitor.post, "/accounts/logout/")).status == 302
                ends = await asyncio.gather(*(tab.rest() for tab in tabs))
                assert [(story(frames), code) for frames, code in ends] == [([("ended", "logout")], 4401)] * 3
        # Nor did the layer break and come back.
        assert not [line for line in site.log.splitlines() if re.search("WARNING|ERROR|Traceback", line)]


@pytest.mark.timeout(180)
@pytest.mark.rule("R10")
async def test_tabs_that_are_silent_for_a_minute_still_receive_what_another_process_sends(
    tmp_path_factory: pytest.TempPathFactory,
):
    # Both at once: a minute is long.
    sites = (wait_in_silence(tmp_path_factory.mktemp("silence"), layer) for layer in (CORE, PUBSUB))
    await asyncio.gather(*sites)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()


class Layer:
    """A hub that listens, and another process that publishes."""

    def __init__(self, publisher: BaseChannelLayer) -> None:
        self.publisher = publisher
        self.tab = FakeTab()
        self.sent = 0

    async def publish(self) -> None:
        self.sent += 1
        change = Change("w1", f'{{"number": {self.sent}}}', ended=False, shown=("active", None, True))
        message = message_of(current_process().name, [change], current_process().clock.now())
        await self.publisher.group_send(GROUP, message | {"process": "another"})

    async def received(self) -> float:
        """Publish until the hub receives it; return after how many seconds."""
        started = time.monotonic()
        first = self.sent + 1
        while not any(frame["number"] >= first for frame in self.tab.frames):
            assert time.monotonic() < started + WITHIN, "nothing was received"
            with suppress(RedisError, OSError):
                await self.publish()
            await asyncio.sleep(0.05)
        return time.monotonic() - started


@asynccontextmanager
async def listening(settings: Any, backend: str, redis: RedisServer) -> AsyncIterator[Layer]:
    config = {"hosts": [{"address": redis.url, "socket_timeout": None}], "prefix": "test"}
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": backend, "CONFIG": config}}
    layer, hub = Layer(import_string(backend)(**config)), Hub(current_process())
    hub.join("w1", layer.tab)
    task = asyncio.create_task(Bus(current_process(), hub).run())
    try:
        await layer.received()
        yield layer
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        with suppress(RedisError, OSError):
            await layer.publisher.flush()


@pytest.mark.parametrize("backend", [CORE, PUBSUB])
async def test_a_hub_receives_each_message_once_in_order_and_again_after_redis_failed(
    settings: Any, monkeypatch: pytest.MonkeyPatch, own_redis: RedisServer, backend: str
):
    monkeypatch.setattr("idlewatch.runtime.bus.REJOIN_INTERVAL", 0.5)
    async with listening(settings, backend, own_redis) as layer:
        await asyncio.sleep(0.5)
        layer.tab.frames.clear()
        first = layer.sent + 1
        for _ in range(50):
            await layer.publish()
        # What was published later is received later, and what comes twice has come by then.
        await layer.received()
        await asyncio.sleep(0.2)
        numbers = [frame["number"] for frame in layer.tab.frames]
        assert numbers == list(range(first, layer.sent + 1))
        for _ in range(3):
            with own_redis.client() as client:
                client.flushall()
            assert await layer.received() < 3
        for away in (0.0, 2.0):
            own_redis.stop()
            await asyncio.sleep(away)
            await asyncio.to_thread(own_redis.start)
            assert await layer.received() < 5
