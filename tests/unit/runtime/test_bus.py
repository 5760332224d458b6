from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from channels.layers import BaseChannelLayer, InMemoryChannelLayer
from django.core.exceptions import ImproperlyConfigured

from idlewatch.core.policy import Policy, assess
from idlewatch.core.protocol import encode, state_frame
from idlewatch.process import current_process, now
from idlewatch.runtime import bus as bus_module
from idlewatch.runtime.bus import ANSWER, GROUP, NOTICE, Bus
from idlewatch.runtime.changes import CHANGES, Change, message_of
from idlewatch.runtime.hub import Hub
from tests.conftest import Time
from tests.support.facts import signed_in
from tests.support.sockets import FakeTab, until

WITHIN = 5.0
CHANGE = Change("w1", '{"phase": "warned"}', ended=False, shown=("warned", "idle", True))
SECRET = "of-the-future"
"""Stands in a message, and may not stand in the log."""


def changed(*fields: object) -> dict[str, Any]:
    return {"type": CHANGES, "process": "another", "changes": [["w1", "{}", *fields]]}


UNTAKEABLE: dict[str, dict[str, Any]] = {
    "new-phase": changed(False, [SECRET, None, True]),
    "new-reason": changed(True, ["ended", SECRET, False]),
    "new-field": changed(False, ["warned", "idle", True], SECRET),
    "no-changes": {"type": CHANGES, "process": "another", "watch": SECRET},
    "no-process": {"type": CHANGES, "changes": [], "watch": SECRET},
    "no-type": {"process": "another", "watch": SECRET},
    "answer-to-nothing": {"type": ANSWER, "process": "another", "frame": SECRET},
}


@pytest.mark.parametrize(("took", "remaining"), [(0.0, 100.0), (0.4, 100.0), (7.5, 92.5), (200.0, 0.0)])
async def test_a_countdown_is_shorter_by_what_its_message_took(
    took: float, remaining: float, clock: Time, monkeypatch: pytest.MonkeyPatch
):
    frame = encode(state_frame(assess(signed_in(clock.now - 800), Policy(), clock.now), Policy(), 7))
    message = message_of("another", [Change("w1", frame, ended=False, shown=("warned", "idle", True))], clock.now)
    hub, tab = Hub(current_process()), FakeTab()
    hub.join("w1", tab)
    clock.pass_(took)
    await Bus(current_process(), hub)._handle(InMemoryChannelLayer(), message)
    assert tab.frames[-1]["remaining"] == remaining


@asynccontextmanager
async def listening(layer: BaseChannelLayer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Bus, FakeTab]]:
    """Have a process with one tab listen on a layer."""
    monkeypatch.setattr(bus_module, "get_channel_layer", lambda: layer)
    monkeypatch.setattr(bus_module, "RETRY_PAUSE", 0.01)
    hub, tab = Hub(current_process()), FakeTab()
    hub.join("w1", tab)
    bus = Bus(current_process(), hub)
    task = asyncio.create_task(bus.run())
    try:
        await receive_one(layer, tab)
        yield bus, tab
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def receive_one(layer: BaseChannelLayer, tab: FakeTab) -> None:
    """Send a change until the tab receives one: what is sent before the bus has joined, it misses."""
    received = len(tab.frames)
    async with asyncio.timeout(WITHIN):
        while len(tab.frames) == received:
            await layer.group_send(GROUP, message_of("another", [CHANGE], now()))
            await asyncio.sleep(0.01)


def members(layer: InMemoryChannelLayer) -> set[str]:
    return set(layer.groups.get(GROUP, {}))


async def test_without_a_channel_layer_it_names_the_setting():
    process = current_process()
    with pytest.raises(ImproperlyConfigured, match="CHANNEL_LAYERS"):
        await Bus(process, Hub(process))._listen(None)


class TestAMessageThatCantBeTaken:
    @pytest.mark.parametrize("message", UNTAKEABLE.values(), ids=UNTAKEABLE)
    async def test_leaves_the_bus_on_its_channel(
        self,
        layer: BaseChannelLayer,
        message: dict[str, Any],
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ):
        caplog.set_level(logging.WARNING, "idlewatch")
        async with listening(layer, monkeypatch) as (bus, tab):
            channel = bus.channel
            for _ in range(3):
                await layer.group_send(GROUP, message)
            await receive_one(layer, tab)
            assert bus.channel == channel
        assert len(caplog.messages) == 3
        expected = f"message of type {message.get('type')!r} was dropped ("
        assert all(expected in line for line in caplog.messages)
        assert SECRET not in caplog.text

    async def test_that_is_a_notice_is_logged_too(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ):
        layer = InMemoryChannelLayer()
        async with listening(layer, monkeypatch):
            await layer.group_send(GROUP, {"type": NOTICE, "process": "another", "frame": SECRET})
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
    async def test_has_the_channel_that_is_read_until_the_bus_stops(self, monkeypatch: pytest.MonkeyPatch):
        layer = Failing()
        async with listening(layer, monkeypatch) as (bus, tab):
            channel, layer.failures = bus.channel, 3
            assert members(layer) == {channel}
            await receive_one(layer, tab)
            assert bus.channel != channel
            assert members(layer) == {bus.channel}
        assert members(layer) == set()

    async def test_is_not_joined_again_by_a_join_that_was_under_way(self):
        class Slow(InMemoryChannelLayer):
            async def group_add(self, group: str, channel: str) -> None:
                try:
                    await asyncio.Event().wait()
                finally:
                    await super().group_add(group, channel)

        layer = Slow()
        async with bus_module.staying(current_process().clock, layer, await layer.new_channel()):
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        assert members(layer) == set()

    async def test_that_can_t_be_left_keeps_no_bus_from_joining_again(self, monkeypatch: pytest.MonkeyPatch):
        class Away(Failing):
            async def group_discard(self, group: str, channel: str) -> None:
                raise OSError("The channel layer is away.")

        layer = Away()
        async with listening(layer, monkeypatch) as (_, tab):
            layer.failures = 1
            await receive_one(layer, tab)

    @pytest.mark.parametrize("failures", [0, 1], ids=["it stops", "it is joining again"])
    async def test_that_hangs_holds_up_a_stop_for_a_limited_time_and_swallows_no_cancellation(
        self, monkeypatch: pytest.MonkeyPatch, failures: int
    ):
        leaving = asyncio.Event()

        class Stuck(Failing):
            async def group_discard(self, group: str, channel: str) -> None:
                leaving.set()
                await asyncio.Event().wait()

        layer = Stuck()
        layer.failures = failures
        monkeypatch.setattr(bus_module, "get_channel_layer", lambda: layer)
        monkeypatch.setattr(bus_module, "LAYER_TIMEOUT", 0.2)
        task = asyncio.create_task(Bus(current_process(), Hub(current_process())).run())
        await until(lambda: members(layer))
        if failures:
            await layer.group_send(GROUP, message_of("another", [], now()))
            await until(leaving.is_set)
        task.cancel()
        await asyncio.wait([task], timeout=WITHIN)
        assert task.cancelled()
        assert leaving.is_set()
