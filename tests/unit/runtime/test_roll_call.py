"""Which processes listen to the channel layer."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from channels.layers import BaseChannelLayer, InMemoryChannelLayer
from channels_redis.core import RedisChannelLayer

from idlewatch.core.clock import Clock
from idlewatch.process import Process
from idlewatch.runtime import bus as bus_module
from idlewatch.runtime.bus import GROUP, PING, PONG, Bus
from idlewatch.runtime.hub import Hub
from idlewatch.runtime.roll_call import call_roll, send_to_itself
from tests.support.redis_server import redis_url
from tests.support.sockets import FakeTab

WITHIN = 5.0
BRIEF = 0.1
CLOCK = Clock()


@asynccontextmanager
async def listening(*names: str) -> AsyncIterator[list[FakeTab]]:
    """Have processes listen, each with a tab."""
    tabs, tasks = [], []
    for name in names:
        process = Process(name)
        hub, tab = Hub(process), FakeTab()
        hub.join("w1", tab)
        tabs.append(tab)
        tasks.append(asyncio.create_task(Bus(process, hub).run()))
    try:
        yield tabs
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture(autouse=True)
def one_layer(layer: BaseChannelLayer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_module, "get_channel_layer", lambda: layer)


async def answered_by(layer: BaseChannelLayer, *awaited: str) -> set[str]:
    """Return which processes answer, once these do: they take a moment to join."""
    async with asyncio.timeout(WITHIN):
        while not (answers := await call_roll(layer, CLOCK, "doctor", awaited, BRIEF)).keys() >= set(awaited):
            pass
    return set(answers)


async def test_each_process_that_listens_answers_and_shows_nothing(layer: BaseChannelLayer):
    async with listening("p1", "p2") as tabs:
        assert await answered_by(layer, "p1", "p2") == {"p1", "p2"}
        assert [tab.frames for tab in tabs] == [[], []]


async def test_it_waits_no_longer_than_for_those_that_are_awaited(layer: BaseChannelLayer):
    async with listening("p1", "p2"), asyncio.timeout(WITHIN):
        await answered_by(layer, "p1", "p2")
        answers = await call_roll(layer, CLOCK, "doctor", ["p1", "p2"], 10 * WITHIN)
        assert all(0 <= seconds < WITHIN for seconds in answers.values())


async def test_one_that_does_not_listen_is_missing(layer: BaseChannelLayer):
    async with listening("p1"):
        await answered_by(layer, "p1")
        assert (await call_roll(layer, CLOCK, "doctor", ["p1", "p2"], BRIEF)).keys() == {"p1"}


@pytest.mark.redis
async def test_each_process_answers_over_the_core_layer(monkeypatch: pytest.MonkeyPatch):
    hosts = [{"address": redis_url(), "socket_timeout": None}]
    layer = RedisChannelLayer(hosts=hosts, prefix=secrets.token_hex(8))
    monkeypatch.setattr(bus_module, "get_channel_layer", lambda: layer)
    async with listening("p1", "p2"):
        assert await answered_by(layer, "p1", "p2") == {"p1", "p2"}
        assert 0 <= await send_to_itself(layer, CLOCK, WITHIN) < WITHIN
    await layer.close_pools()


async def test_nothing_answers_where_nothing_listens(layer: BaseChannelLayer):
    assert await call_roll(layer, CLOCK, "doctor", [], BRIEF) == {}


async def test_a_process_answers_the_latest_call_alone(layer: BaseChannelLayer):
    """The answer to another call, or anything else, counts for nothing."""

    async def disturb() -> None:
        for message in ({"type": PONG, "process": "p9", "ping": "other"}, {"type": "else"}):
            await layer.send(channels[0], message)

    channels = list[str]()
    make = layer.new_channel

    async def new_channel() -> str:
        channels.append(await make())
        return channels[0]

    layer.new_channel = new_channel
    calling = asyncio.create_task(call_roll(layer, CLOCK, "doctor", [], 5 * BRIEF))
    await asyncio.sleep(BRIEF)
    await disturb()
    assert await calling == {}


async def test_a_call_leaves_no_channel_behind(layer: BaseChannelLayer):
    if isinstance(layer, InMemoryChannelLayer):
        await call_roll(layer, CLOCK, "doctor", [], BRIEF)
        assert not layer.groups.get(GROUP)
    else:
        await call_roll(layer, CLOCK, "doctor", [], BRIEF)
        await send_to_itself(layer, CLOCK, WITHIN)
        assert layer.channels == {}


class Broken(InMemoryChannelLayer):
    """A layer that fails, or takes its time."""

    def __init__(self, *names: str, hangs: bool = False) -> None:
        super().__init__()
        for name in names:
            setattr(self, name, self._hang if hangs else self._fail)

    async def _fail(self, *_: object) -> None:
        raise OSError("redis://user:secret@host")

    async def _hang(self, *_: object) -> None:
        await asyncio.Event().wait()


@pytest.mark.parametrize("operation", ["new_channel", "group_send", "receive"])
async def test_a_layer_that_fails_raises(operation: str):
    with pytest.raises(OSError, match="redis"):
        await call_roll(Broken(operation), CLOCK, "doctor", [], BRIEF)


@pytest.mark.parametrize("operation", ["new_channel", "group_send"])
async def test_a_layer_that_hangs_is_given_up(operation: str):
    with pytest.raises(TimeoutError):
        await call_roll(Broken(operation, hangs=True), CLOCK, "doctor", [], BRIEF)


async def test_a_process_that_cant_answer_goes_on(layer: BaseChannelLayer, monkeypatch: pytest.MonkeyPatch):
    async with listening("p1"):
        await answered_by(layer, "p1")
        await layer.group_send(GROUP, {"type": PING, "process": "doctor"})
        await layer.group_send(GROUP, {"type": PING, "process": "doctor", "reply": "no channel", "ping": "x"})
        assert await answered_by(layer, "p1") == {"p1"}


async def test_a_message_to_itself_arrives(layer: BaseChannelLayer):
    assert 0 <= await send_to_itself(layer, CLOCK, WITHIN) < WITHIN


async def test_a_message_that_does_not_arrive():
    with pytest.raises(TimeoutError):
        await send_to_itself(Broken("send", hangs=True), CLOCK, BRIEF)
