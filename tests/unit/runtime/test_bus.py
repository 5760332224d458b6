from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from channels.layers import BaseChannelLayer, InMemoryChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer

from idlewatch.process import current_process
from idlewatch.runtime import bus as listener_module
from idlewatch.runtime.bus import ANSWER, GROUP, KIND, NOTICE, Bus, change_from, message_of
from idlewatch.runtime.hub import Change, Hub
from tests.support.redis_server import redis_url
from tests.support.sockets import FakeTab

WITHIN = 5.0
CHANGE = Change("w1", '{"phase": "warned"}', ended=False, shown=("warned", "idle", True))
SECRET = "of-the-future"
"""What stands in a message, and may not stand in the log."""
UNTAKEABLE: dict[str, dict[str, Any]] = {
    "new-phase": {"type": KIND, "process": "another", "changes": [["w1", "{}", False, [SECRET, None, True]]]},
    "new-reason": {"type": KIND, "process": "another", "changes": [["w1", "{}", True, ["ended", SECRET, False]]]},
    "new-field": {
        "type": KIND,
        "process": "another",
        "changes": [["w1", "{}", False, ["warned", "idle", True], SECRET]],
    },
    "no-changes": {"type": KIND, "process": "another", "watch": SECRET},
    "no-process": {"type": KIND, "changes": [], "watch": SECRET},
    "no-type": {"process": "another", "watch": SECRET},
    "answer-to-nothing": {"type": ANSWER, "process": "another", "frame": SECRET},
}


def test_a_change_comes_through_a_message_as_it_was():
    changes = [CHANGE, Change("w1", '{"phase": "ended"}', ended=True, shown=("ended", None, False))]
    message = json.loads(json.dumps(message_of(current_process().name, changes)))
    assert [change_from(each) for each in message["changes"]] == changes


@asynccontextmanager
async def listening(layer: BaseChannelLayer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Bus, FakeTab]]:
    """Have a process with one tab listen on a layer."""
    monkeypatch.setattr(listener_module, "get_channel_layer", lambda: layer)
    monkeypatch.setattr(listener_module, "RETRY_PAUSE", 0.01)
    hub, tab = Hub(current_process()), FakeTab()
    hub.join("w1", tab)
    listener = Bus(current_process(), hub)
    task = asyncio.create_task(listener.run())
    try:
        await heard(layer, tab)
        yield listener, tab
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], object], meanwhile: Callable[[], Awaitable[object]] | None = None) -> None:
    async with asyncio.timeout(WITHIN):
        while not condition():
            if meanwhile is not None:
                await meanwhile()
            await asyncio.sleep(0.01)


async def heard(layer: BaseChannelLayer, tab: FakeTab) -> None:
    """Say something until the tab is told of a change: what is said before the listener has joined, it misses."""
    told = len(tab.frames)
    message = {**message_of(current_process().name, [CHANGE]), "process": "another"}
    await until(lambda: len(tab.frames) > told, lambda: layer.group_send(GROUP, message))


@pytest.fixture(params=["memory", pytest.param("pubsub", marks=pytest.mark.redis)])
async def layer(request: pytest.FixtureRequest) -> AsyncIterator[BaseChannelLayer]:
    if request.param == "memory":
        yield InMemoryChannelLayer()
    else:
        hosts = [{"address": redis_url(), "socket_timeout": None}]
        found = RedisPubSubChannelLayer(hosts=hosts, prefix=secrets.token_hex(8))
        yield found
        await found.flush()


def members(layer: InMemoryChannelLayer) -> set[str]:
    return set(layer.groups.get(GROUP, {}))


class TestAMessageThatCantBeTaken:
    @pytest.mark.parametrize("message", UNTAKEABLE.values(), ids=UNTAKEABLE)
    async def test_leaves_the_listener_on_its_channel(
        self,
        layer: BaseChannelLayer,
        message: dict[str, Any],
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ):
        caplog.set_level(logging.WARNING, "idlewatch")
        async with listening(layer, monkeypatch) as (listener, tab):
            channel = listener.channel
            for _ in range(3):
                await layer.group_send(GROUP, message)
            await heard(layer, tab)
            assert listener.channel == channel
        said = [each for each in caplog.messages if "was dropped" in each]
        assert len(said) == 3
        assert caplog.messages == said
        assert f"A message of type {message.get('type')!r} was dropped (" in said[0]
        assert SECRET not in caplog.text

    async def test_that_is_a_notice_is_logged_too(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ):
        layer = InMemoryChannelLayer()
        async with listening(layer, monkeypatch) as (_, tab):
            await layer.group_send(GROUP, {"type": NOTICE, "process": "another", "frame": SECRET})
            await heard(layer, tab)
            await until(lambda: caplog.messages)
        assert caplog.messages == ["The number of tabs that a notice reached could not be reported (KeyError)."]
        assert SECRET not in caplog.text


class Failing(InMemoryChannelLayer):
    """A layer that fails to hand out a message, as often as it is told to."""

    failures = 0

    async def receive(self, channel: str) -> Any:
        message = await super().receive(channel)
        if self.failures:
            self.failures -= 1
            raise OSError("The channel layer is away.")
        return message


class TestTheGroup:
    async def test_has_no_channel_that_is_not_read_any_more(self, monkeypatch: pytest.MonkeyPatch):
        layer = Failing()
        async with listening(layer, monkeypatch) as (listener, tab):
            channel, layer.failures = listener.channel, 3
            await heard(layer, tab)
            assert listener.channel != channel
            assert members(layer) == {listener.channel}

    async def test_is_left_by_a_listener_that_stops(self, monkeypatch: pytest.MonkeyPatch):
        layer = InMemoryChannelLayer()
        async with listening(layer, monkeypatch) as (listener, _):
            assert members(layer) == {listener.channel}
        assert members(layer) == set()

    async def test_is_not_joined_again_by_a_join_that_was_under_way(self):
        class Slow(InMemoryChannelLayer):
            async def group_add(self, group: str, channel: str) -> None:
                try:
                    await asyncio.Event().wait()
                finally:
                    await super().group_add(group, channel)

        layer = Slow()
        async with listener_module.staying(current_process().clock, layer, await layer.new_channel()):
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        assert members(layer) == set()

    async def test_that_can_t_be_left_keeps_no_listener_from_hearing_again(self, monkeypatch: pytest.MonkeyPatch):
        class Away(Failing):
            async def group_discard(self, group: str, channel: str) -> None:
                raise OSError("The channel layer is away.")

        layer = Away()
        async with listening(layer, monkeypatch) as (_, tab):
            layer.failures = 1
            await heard(layer, tab)

    async def test_that_hangs_holds_up_a_stop_for_a_limited_time(self, monkeypatch: pytest.MonkeyPatch):
        class Stuck(InMemoryChannelLayer):
            left = False

            async def group_discard(self, group: str, channel: str) -> None:
                self.left = True
                await asyncio.Event().wait()

        layer = Stuck()
        monkeypatch.setattr(listener_module, "LAYER_TIMEOUT", 0.05)
        async with asyncio.timeout(WITHIN):
            async with listening(layer, monkeypatch):
                pass
        assert layer.left

    async def test_that_hangs_swallows_no_cancellation(self, monkeypatch: pytest.MonkeyPatch):
        leaving = asyncio.Event()

        class Stuck(Failing):
            failures = 1

            async def group_discard(self, group: str, channel: str) -> None:
                leaving.set()
                await asyncio.Event().wait()

        layer = Stuck()
        monkeypatch.setattr(listener_module, "get_channel_layer", lambda: layer)
        task = asyncio.create_task(Bus(current_process(), Hub(current_process())).run())
        await until(lambda: members(layer))
        await layer.group_send(GROUP, message_of(current_process().name, []))
        async with asyncio.timeout(WITHIN):
            await leaving.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
