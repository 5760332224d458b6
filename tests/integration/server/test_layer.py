"""What the channel layers in Redis do: hold on through silence, and come back after faults."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from channels.layers import BaseChannelLayer
from django.utils.module_loading import import_string
from redis.exceptions import RedisError

from idlewatch.process import current_process
from idlewatch.runtime.bus import GROUP, Bus, message_of
from idlewatch.runtime.hub import Change, Hub
from tests.integration.server.visitors import Visitor, story
from tests.integration.site import running
from tests.support.redis_server import RedisServer
from tests.support.sockets import FakeTab

CORE, PUBSUB = "channels_redis.core.RedisChannelLayer", "channels_redis.pubsub.RedisPubSubChannelLayer"
SILENCE = 65.0
WITHIN = 15.0


async def wait_in_silence(directory: Path, layer: str) -> None:
    """Leave a tab alone for a minute; then another process ends its session."""
    with running(directory, IDLEWATCH_IDLE_TIMEOUT="600", LAYER=layer) as site:
        here, there = site.webs
        visitor = await asyncio.to_thread(Visitor, here, "silent")
        async with visitor.tab() as tab:
            assert story([tab.first]) == [("active", None)]
            with pytest.raises(TimeoutError):
                # Whatever came, a frame or a close, would end the wait.
                await asyncio.wait_for(tab.socket.recv(), SILENCE)
            visitor.server = there
            assert (await asyncio.to_thread(visitor.post, "/accounts/logout/")).status == 302
            frames, code = await tab.rest()
            assert (story(frames), code) == ([("ended", "logout")], 4401)
        # Nor did the layer break and come back.
        assert not [line for line in site.log.splitlines() if re.search("WARNING|ERROR|Traceback", line)]


@pytest.mark.timeout(180)
@pytest.mark.rule("R10")
async def test_a_tab_that_is_silent_for_a_minute_still_hears_what_another_process_did(
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
        message = message_of(current_process().name, [change])
        await self.publisher.group_send(GROUP, message | {"process": "another"})

    async def heard(self, within: float = WITHIN) -> float:
        """Publish until the hub hears it; return after how many seconds."""
        started = time.monotonic()
        first = self.sent + 1
        while not any(frame["number"] >= first for frame in self.tab.frames):
            assert time.monotonic() < started + within, "nothing was heard"
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
        await layer.heard()
        yield layer
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        with suppress(RedisError, OSError):
            await layer.publisher.flush()


@pytest.mark.parametrize("backend", [CORE, PUBSUB])
async def test_a_hub_is_heard_again_after_redis_lost_its_data(
    settings: Any, monkeypatch: pytest.MonkeyPatch, own_redis: RedisServer, backend: str
):
    monkeypatch.setattr("idlewatch.runtime.bus.REJOIN_INTERVAL", 0.5)
    async with listening(settings, backend, own_redis) as layer:
        for _ in range(3):
            with own_redis.client() as client:
                client.flushall()
            assert await layer.heard() < 3


@pytest.mark.parametrize("backend", [CORE, PUBSUB])
async def test_a_hub_is_heard_again_after_a_restart_of_redis(settings: Any, own_redis: RedisServer, backend: str):
    async with listening(settings, backend, own_redis) as layer:
        for away in (0.0, 2.0):
            own_redis.stop()
            await asyncio.sleep(away)
            await asyncio.to_thread(own_redis.start)
            assert await layer.heard() < 5


@pytest.mark.parametrize("backend", [CORE, PUBSUB])
async def test_a_hub_hears_each_message_once_and_in_their_order(settings: Any, own_redis: RedisServer, backend: str):
    async with listening(settings, backend, own_redis) as layer:
        await asyncio.sleep(0.5)
        layer.tab.frames.clear()
        first = layer.sent + 1
        for _ in range(50):
            await layer.publish()
        # What was published later is heard later, and what comes twice has come by then.
        await layer.heard()
        await asyncio.sleep(0.2)
        numbers = [frame["number"] for frame in layer.tab.frames]
        assert numbers == list(range(first, layer.sent + 1))
