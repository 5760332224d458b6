from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from channels.layers import BaseChannelLayer, channel_layers, get_channel_layer
from django.core.exceptions import SynchronousOnlyOperation

from idlewatch import metrics, notify
from idlewatch.core.activity import Reason
from idlewatch.core.events import TabOpened, TabsCounted
from idlewatch.exceptions import IdleWatchError, NotRunning, StoreUnavailable
from idlewatch.monitor import service as monitor
from idlewatch.notify import MAX_NOTICE_LENGTH, Reach, asend, clean_text, send
from idlewatch.process import current_process
from idlewatch.runtime import hub as hub_module
from idlewatch.runtime.bus import ANSWER, GROUP, NOTICE
from idlewatch.runtime.hub import Hub
from idlewatch.runtime.runtime import Runtime, runtime_of
from idlewatch.runtime.timer import Timer
from idlewatch.store.memory.sessions import MemorySessions
from tests.conftest import START, Time
from tests.support.redis_server import redis_url
from tests.support.sockets import FakeTab
from tests.support.watches import keep

LAYERS = {
    "memory": "channels.layers.InMemoryChannelLayer",
    "pubsub": "channels_redis.pubsub.RedisPubSubChannelLayer",
    "core": "channels_redis.core.RedisChannelLayer",
}
WITHIN = 5.0


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch, clock: Time) -> None:
    """The timers of these tests do nothing, in a time that stands still."""

    async def run(self: Timer) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Timer, "run", run)
    # The tabs of these tests never go.
    monkeypatch.setattr(hub_module, "DRAIN_TIMEOUT", 0.01)


@pytest.fixture
async def here() -> AsyncIterator[Runtime]:
    """What runs beside the requests of this process."""
    runtime_of(current_process()).start()
    yield runtime_of(current_process())
    await runtime_of(current_process()).stop()


@pytest.fixture(params=LAYERS)
def layer(request: pytest.FixtureRequest, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Several processes share the store, and talk over one of the channel layers."""
    config: dict[str, Any] = {"BACKEND": LAYERS[request.param]}
    if request.param != "memory":
        hosts = [{"address": redis_url(), "socket_timeout": None}]
        config["CONFIG"] = {"hosts": hosts, "prefix": secrets.token_hex(8)}
    settings.CHANNEL_LAYERS = {"default": config}
    channel_layers.backends.clear()
    monkeypatch.setattr(monitor.store(), "shared", True)
    yield
    channel_layers.backends.clear()


def open_tabs(service: Runtime, watch_id: str, count: int = 1, **options: Any) -> list[FakeTab]:
    """Open tabs of a session in this process."""
    if monitor.store().sessions.get(watch_id) is None:
        keep(watch_id)
    tabs = [FakeTab(**options) for _ in range(count)]
    for tab in tabs:
        service.hub.join(watch_id, tab)
        monitor.store().sessions.apply(watch_id, TabOpened(current_process().name, 50), START)
    return tabs


def counted() -> list[float]:
    """Return how many tabs were reached by notices, and how many were missed, as the metrics say."""
    labels = ({"result": "reached"}, {"result": "missed"})
    return [metrics.REGISTRY.get_sample_value("idlewatch_notices_total", each) or 0.0 for each in labels]


def texts(*tabs: FakeTab) -> list[list[str]]:
    return [[frame["text"] for frame in tab.frames] for tab in tabs]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.005)


class Peer:
    """Another process, as the channel layer shows it."""

    def __init__(self, layer: BaseChannelLayer) -> None:
        self.layer = layer
        self.heard: list[dict[str, Any]] = []

    async def hear(self, channel: str, answer: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        while True:
            message = await self.layer.receive(channel)
            self.heard.append(message)
            if message["type"] == NOTICE:
                await answer(message)

    async def say(self, message: dict[str, Any], told: int, process: str = "another") -> None:
        about = {"notice": message["notice"], "part": message["part"], "told": told}
        await self.layer.send(message["reply"], {"type": ANSWER, "process": process, **about})


@asynccontextmanager
async def peer(told: int | None) -> AsyncIterator[Peer]:
    """Have another process listen, that says of each notice that so many tabs took it; None: says nothing."""
    layer = get_channel_layer()
    assert layer is not None
    found = Peer(layer)

    async def answer(message: dict[str, Any]) -> None:
        if told is not None:
            await found.say(message, told)

    channel = await layer.new_channel()
    await layer.group_add(GROUP, channel)
    task = asyncio.create_task(found.hear(channel, answer))
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def listening(service: Runtime) -> None:
    await until(lambda: service.bus.channel)
    # It joins the group beside that: what it says to itself it does not take, so another has to be heard.
    layer = get_channel_layer()
    assert layer is not None
    heard = asyncio.Event()
    take = service.bus._take

    async def note(layer: BaseChannelLayer, message: Any) -> None:
        if message["type"] == "probe":
            heard.set()
        else:
            await take(layer, message)

    service.bus._take = note  # type: ignore[method-assign]
    async with asyncio.timeout(WITHIN):
        while not heard.is_set():
            await layer.group_send(GROUP, {"type": "probe", "process": "another"})
            await asyncio.sleep(0.01)


class TestHere:
    async def test_every_open_tab_of_the_sessions_is_told_and_no_other(self, here: Runtime):
        ours, theirs = [*open_tabs(here, "w1", 2), *open_tabs(here, "w2")], open_tabs(here, "w3")
        assert await asend(["w1", "w2"], "The site closes at noon.") == Reach(3, 3)
        assert texts(*ours) == [["The site closes at noon."]] * 3
        assert texts(*theirs) == [[]]

    async def test_it_is_the_frame_of_the_protocol_with_an_id_of_its_own(self, here: Runtime):
        (tab,) = open_tabs(here, "w1")
        for _ in range(2):
            await asend(["w1"], "<b>Noon</b>")
        first, second = tab.frames
        assert first == {"type": "notice", "id": first["id"], "text": "<b>Noon</b>"}
        assert first["id"] != second["id"]

    async def test_a_view_sends_it_from_its_thread(self, here: Runtime):
        (tab,) = open_tabs(here, "w1")
        assert await asyncio.to_thread(send, ["w1"], "Noon") == Reach(1, 1)
        assert texts(tab) == [["Noon"]]

    async def test_a_view_on_another_event_loop_sends_it_too(self, here: Runtime):
        (tab,) = open_tabs(here, "w1")
        assert await asyncio.to_thread(lambda: asyncio.run(asend(["w1"], "Noon"))) == Reach(1, 1)
        assert texts(tab) == [["Noon"]]

    async def test_the_event_loop_itself_must_not_wait(self, here: Runtime):
        with pytest.raises(SynchronousOnlyOperation, match="asend"):
            send(["w1"], "Noon")

    async def test_a_session_named_twice_is_told_once(self, here: Runtime):
        (tab,) = open_tabs(here, "w1")
        assert await asend(["w1", "w1"], "Noon") == Reach(1, 1)
        assert len(tab.frames) == 1

    async def test_a_session_that_ended_or_never_was_has_no_tabs(self, here: Runtime):
        (tab,) = open_tabs(here, "w1")
        monitor.store().sessions.end("w1", Reason.REVOKED, START)
        assert await asend(["w1", "unknown"], "Noon") == Reach(0, 0)
        assert tab.frames == []

    async def test_a_broken_tab_is_not_reached_and_keeps_it_from_no_other(self, here: Runtime):
        good, bad = open_tabs(here, "w1"), open_tabs(here, "w1", broken=True)
        assert await asend(["w1"], "Noon") == Reach(1, 2)
        assert texts(*good, *bad) == [["Noon"], []]

    async def test_a_tab_that_takes_nothing_does_not_hold_it_up(self, here: Runtime, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(hub_module, "NOTICE_TIMEOUT", 0.05)

        class Stuck(FakeTab):
            async def tell(self, frame: str, *, ended: bool) -> None:
                await asyncio.Event().wait()

        for tab in (Stuck() for _ in range(30)):
            here.hub.join("w1", tab)
        (good,) = open_tabs(here, "w1")
        started = time.monotonic()
        assert (await asend(["w1"], "Noon")).reached == 1
        # One after the other they would take more than a second.
        assert time.monotonic() - started < 1
        assert texts(good) == [["Noon"]]

    async def test_the_tabs_of_another_event_loop_are_told_and_counted(self, here: Runtime):
        keep("w1")
        there, joined, done = FakeTab(), threading.Event(), threading.Event()

        async def elsewhere() -> None:
            other = Hub(current_process())
            other.join("w1", there)
            joined.set()
            await asyncio.to_thread(done.wait, WITHIN)

        thread = threading.Thread(target=asyncio.run, args=[elsewhere()])
        thread.start()
        try:
            assert await asyncio.to_thread(joined.wait, WITHIN)
            assert await asend(["w1"], "Noon") == Reach(1, 1)
        finally:
            done.set()
            await asyncio.to_thread(thread.join, WITHIN)
        assert texts(there) == [["Noon"]]

    async def test_how_far_it_came_is_logged_and_its_text_is_not(self, here: Runtime, caplog: pytest.LogCaptureFixture):
        caplog.set_level(logging.INFO, "idlewatch")
        open_tabs(here, "w1", 2)
        await asend(["w1"], "Between us")
        assert "notice_sent sessions=1 reached=2 open=2" in caplog.messages
        assert "Between us" not in caplog.text

    async def test_nothing_is_kept_of_it(self, here: Runtime):
        open_tabs(here, "w1")
        await asend(["w1"], "Noon")
        late = FakeTab()
        here.hub.join("w1", late)
        await asyncio.sleep(0)
        assert late.frames == []
        assert here.bus._asked == {}


class TestWithoutWhatItNeeds:
    def test_it_is_an_error_where_nothing_runs_beside_the_requests(self):
        with pytest.raises(NotRunning, match="watched"):
            send(["w1"], "Noon")
        assert issubclass(NotRunning, IdleWatchError)

    async def test_a_store_that_is_away_is_said_and_nothing_is_sent(
        self, here: Runtime, monkeypatch: pytest.MonkeyPatch
    ):
        async def away(self: MemorySessions, watches: object) -> object:
            raise StoreUnavailable

        (tab,) = open_tabs(here, "w1")
        monkeypatch.setattr(MemorySessions, "aget_many", away)
        with pytest.raises(StoreUnavailable):
            await asyncio.to_thread(send, ["w1"], "Noon")
        assert tab.frames == []

    async def test_a_view_does_not_wait_for_ever(self, here: Runtime, monkeypatch: pytest.MonkeyPatch):
        async def stuck(self: MemorySessions, watches: object) -> object:
            return await asyncio.Event().wait()

        monkeypatch.setattr(MemorySessions, "aget_many", stuck)
        monkeypatch.setattr(notify, "SEND_TIMEOUT", 0.05)
        with pytest.raises(StoreUnavailable):
            await asyncio.to_thread(send, ["w1"], "Noon")

    @pytest.mark.parametrize("how", [send, lambda *said: asyncio.run(asend(*said))], ids=["sync", "async"])
    def test_a_view_is_told_when_the_event_loop_goes_away_meanwhile(
        self, monkeypatch: pytest.MonkeyPatch, how: Callable[[list[str], str], object]
    ):
        started, asked = threading.Event(), threading.Event()

        async def stuck(self: MemorySessions, watches: object) -> object:
            asked.set()
            return await asyncio.Event().wait()

        async def serve() -> None:
            runtime_of(current_process()).start()
            started.set()
            await asyncio.to_thread(asked.wait, WITHIN)

        monkeypatch.setattr(MemorySessions, "aget_many", stuck)
        thread = threading.Thread(target=asyncio.run, args=[serve()])
        thread.start()
        try:
            assert started.wait(WITHIN)
            with pytest.raises(StoreUnavailable):
                how(["w1"], "Noon")
        finally:
            asked.set()
            thread.join(WITHIN)


class TestText:
    @pytest.mark.parametrize(
        ("given", "sent"),
        [
            ("  Noon \n", "Noon"),
            ("First\r\nsecond\rthird\n\nlast", "First\nsecond\nthird\n\nlast"),
            ("Step 1:\tsave", "Step 1: save"),
            ("x" * MAX_NOTICE_LENGTH, "x" * MAX_NOTICE_LENGTH),
            (" " + "é" * MAX_NOTICE_LENGTH, "é" * MAX_NOTICE_LENGTH),
            ("👋🏽 שלום", "👋🏽 שלום"),
        ],
        ids=["spaces", "line-breaks", "tabs", "longest", "spaces-do-not-count", "any-script"],
    )
    def test_is_sent_as_it_is_but_for_what_is_around_it(self, given: str, sent: str):
        assert clean_text(given) == sent

    @pytest.mark.parametrize("given", ["", "  \n ", "x" * (MAX_NOTICE_LENGTH + 1)], ids=["empty", "blank", "too-long"])
    def test_of_the_wrong_length_is_refused_by_how_long_it_is(self, given: str):
        with pytest.raises(ValueError, match=rf"has {len(given.strip())} characters; expected 1 to 500"):
            clean_text(given)

    @pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\x7f", "\x85", "\ud83d"])
    def test_with_a_control_character_is_refused_by_its_name(self, character: str):
        with pytest.raises(ValueError) as refusal:
            clean_text(f"a{character}b")
        assert repr(character) in str(refusal.value)

    async def test_that_is_refused_is_not_sent(self, here: Runtime):
        (tab,) = open_tabs(here, "w1")
        for refused in ("", "a\x00b"):
            with pytest.raises(ValueError):
                await asyncio.to_thread(send, ["w1"], refused)
            with pytest.raises(ValueError):
                await asend(["w1"], refused)
        assert tab.frames == []


@pytest.mark.usefixtures("layer")
class TestOtherProcesses:
    async def test_what_they_told_is_added_up(self, here: Runtime):
        await listening(here)
        open_tabs(here, "w1")
        monitor.store().sessions.apply("w1", TabsCounted("another", 3), START)
        async with peer(told=3) as another:
            assert await asend(["w1"], "Noon") == Reach(4, 4)
        (message,) = [each for each in another.heard if each["type"] == NOTICE]
        assert message["watch_ids"] == ["w1"]

    async def test_one_that_serves_no_tab_of_theirs_is_not_waited_for(self, here: Runtime):
        await listening(here)
        open_tabs(here, "w1")
        started = time.monotonic()
        async with peer(told=None):
            assert await asend(["w1"], "Noon") == Reach(1, 1)
        assert time.monotonic() - started < notify.ACK_TIMEOUT

    async def test_one_that_is_silent_makes_it_fewer_and_no_error(self, here: Runtime, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(notify, "ACK_TIMEOUT", 0.2)
        await listening(here)
        open_tabs(here, "w1")
        monitor.store().sessions.apply("w1", TabsCounted("another", 2), START)
        monitor.store().sessions.apply("w1", TabsCounted("dead", 5), START)
        before = counted()
        async with peer(told=2):
            assert await asend(["w1"], "Noon") == Reach(3, 8)
        assert [now - then for now, then in zip(counted(), before, strict=True)] == [3, 5]

    async def test_one_that_answers_from_each_of_its_event_loops_counts_once(self, here: Runtime):
        await listening(here)
        keep("w1")
        monitor.store().sessions.apply("w1", TabsCounted("another", 2), START)
        monitor.store().sessions.apply("w1", TabsCounted("third", 1), START)
        async with peer(told=None) as another:

            async def both() -> None:
                await until(lambda: any(each["type"] == NOTICE for each in another.heard))
                message = next(each for each in another.heard if each["type"] == NOTICE)
                for process, told in (("another", 2), ("another", 2), ("third", 1)):
                    await another.say(message, told, process)

            reached, _ = await asyncio.gather(asend(["w1"], "Noon"), both())
        assert reached == Reach(3, 3)

    async def test_many_sessions_go_in_several_messages(self, here: Runtime, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(notify, "BATCH_SIZE", 4)
        await listening(here)
        names = [f"w{number}" for number in range(10)]
        for name in names:
            keep(name)
            monitor.store().sessions.apply(name, TabsCounted("another", 1), START)
        async with peer(told=4) as another:
            result = await asend(names, "Noon")
        messages = [each for each in another.heard if each["type"] == NOTICE]
        assert [name for each in messages for name in each["watch_ids"]] == names
        assert len(messages) == 3
        assert result.reached == 12

    async def test_a_notice_from_another_is_shown_here_and_answered(self, here: Runtime):
        await listening(here)
        tabs = [*open_tabs(here, "w1", 2), *open_tabs(here, "w2")]
        layer = get_channel_layer()
        assert layer is not None
        reply = await layer.new_channel()
        frame = '{"type":"notice","id":"1","text":"Noon"}'
        message = {"type": NOTICE, "process": "another", "reply": reply, "notice": "n", "part": 7, "frame": frame}
        receiving = asyncio.create_task(layer.receive(reply))
        await layer.group_send(GROUP, {**message, "watch_ids": ["w1", "w2", "w3"]})
        answer = await asyncio.wait_for(receiving, WITHIN)
        assert answer == {"type": ANSWER, "process": current_process().name, "notice": "n", "part": 7, "told": 3}
        assert texts(*tabs) == [["Noon"]] * 3

    async def test_what_it_does_not_know_and_answers_that_come_too_late_do_no_harm(
        self, here: Runtime, caplog: pytest.LogCaptureFixture
    ):
        await listening(here)
        (tab,) = open_tabs(here, "w1")
        layer = get_channel_layer()
        assert layer is not None
        late = {"type": ANSWER, "process": "another", "notice": "long gone", "part": 0, "told": 9}
        for message in ({"type": "idlewatch.of_the_future", "process": "another"}, late):
            await layer.group_send(GROUP, message)
        assert await asend(["w1"], "Noon") == Reach(1, 1)
        assert texts(tab) == [["Noon"]]
        # What comes after them has been heard then.
        await listening(here)
        assert "can't be taken" not in caplog.text


class TestAChannelLayerThatIsAway:
    async def test_those_here_are_told_all_the_same(
        self, here: Runtime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ):
        class Away:
            async def group_send(self, group: str, message: object) -> None:
                raise OSError("The channel layer is away.")

        monkeypatch.setattr(monitor.store(), "shared", True)
        monkeypatch.setattr(notify, "get_channel_layer", Away)
        here.bus.channel = "some.channel"
        (tab,) = open_tabs(here, "w1")
        monitor.store().sessions.apply("w1", TabsCounted("another", 2), START)
        assert await asend(["w1"], "Noon") == Reach(1, 3)
        assert texts(tab) == [["Noon"]]
        assert "The channel layer is unavailable (OSError): a message stays in this process." in caplog.messages

    async def test_one_that_hangs_is_given_up(self, here: Runtime, monkeypatch: pytest.MonkeyPatch):
        class Stuck:
            async def group_send(self, group: str, message: object) -> None:
                await asyncio.Event().wait()

        monkeypatch.setattr(monitor.store(), "shared", True)
        monkeypatch.setattr(notify, "get_channel_layer", Stuck)
        monkeypatch.setattr(notify, "LAYER_TIMEOUT", 0.05)
        here.bus.channel = "some.channel"
        open_tabs(here, "w1")
        assert await asend(["w1"], "Noon") == Reach(1, 1)

    async def test_without_a_channel_to_answer_to_no_process_is_asked(
        self, here: Runtime, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(monitor.store(), "shared", True)
        open_tabs(here, "w1")
        assert here.bus.channel is None
        assert await asend(["w1"], "Noon") == Reach(1, 1)
