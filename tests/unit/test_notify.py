from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from channels.layers import BaseChannelLayer, channel_layers, get_channel_layer
from django.core.exceptions import SynchronousOnlyOperation

from idlewatch import metrics, notify
from idlewatch.core.activity import Reason
from idlewatch.core.events import TabOpened, TabsCounted
from idlewatch.exceptions import IdleWatchError, NotRunning, StoreElsewhere, StoreUnavailable
from idlewatch.monitor import stores
from idlewatch.monitor.store_lease import StoreLease
from idlewatch.notify import MAX_NOTICE_LENGTH, Reach, asend, clean_text, send
from idlewatch.process import Process, current_process
from idlewatch.runtime import hub as hub_module
from idlewatch.runtime.bus import ANSWER, GROUP, NOTICE
from idlewatch.runtime.hub import Hub
from idlewatch.runtime.runtime import Runtime, runtime_of
from idlewatch.runtime.timer import Timer
from idlewatch.store.memory.sessions import MemorySessions
from tests.conftest import START, Time
from tests.support.processes import give_store_away
from tests.support.redis_server import redis_url
from tests.support.sockets import WITHIN, FakeTab
from tests.support.watches import keep

LAYERS = {
    "memory": "channels.layers.InMemoryChannelLayer",
    "pubsub": "channels_redis.pubsub.RedisPubSubChannelLayer",
    "core": "channels_redis.core.RedisChannelLayer",
}


async def hang(*_: object, **__: object) -> None:
    await asyncio.Event().wait()


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch, clock: Time) -> None:
    """The timers of these tests do nothing, in a time that stands still."""
    monkeypatch.setattr(Timer, "run", hang)
    # The tabs of these tests never go.
    monkeypatch.setattr(hub_module, "DRAIN_TIMEOUT", 0.01)


@pytest.fixture
async def here() -> AsyncIterator[Runtime]:
    """What runs beside the requests of this process."""
    runtime = runtime_of(current_process())
    runtime.start()
    yield runtime
    await runtime.stop()


@pytest.fixture(
    params=["memory", pytest.param("pubsub", marks=pytest.mark.redis), pytest.param("core", marks=pytest.mark.redis)]
)
def layer(request: pytest.FixtureRequest, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[BaseChannelLayer]:
    """Several processes share the store, and talk over one of the channel layers."""
    config: dict[str, Any] = {"BACKEND": LAYERS[request.param]}
    if request.param != "memory":
        hosts = [{"address": redis_url(), "socket_timeout": None}]
        config["CONFIG"] = {"hosts": hosts, "prefix": secrets.token_hex(8)}
    settings.CHANNEL_LAYERS = {"default": config}
    channel_layers.backends.clear()
    monkeypatch.setattr(stores.current(), "shared", True)
    yield get_channel_layer()
    channel_layers.backends.clear()


@pytest.fixture
async def connected(layer: BaseChannelLayer, here: Runtime) -> Runtime:
    """Return the runtime once messages of other processes reach it."""
    with here.bus.collecting("probe") as answers:
        async with asyncio.timeout(WITHIN):
            while answers.empty():
                await layer.group_send(GROUP, answer_to({"notice": "probe", "part": 0}))
                await asyncio.sleep(0.01)
    return here


def open_tabs(service: Runtime, watch_id: str, count: int = 1, **options: Any) -> list[FakeTab]:
    """Open tabs of a session in this process."""
    if stores.current().sessions.get(watch_id) is None:
        keep(watch_id)
    tabs = [FakeTab(**options) for _ in range(count)]
    for tab in tabs:
        service.hub.join(watch_id, tab)
        stores.current().sessions.apply(watch_id, TabOpened(current_process().name, 50), START)
    return tabs


def open_elsewhere(watch_id: str, **tabs: int) -> None:
    """Have the store count tabs of a session in other processes."""
    if stores.current().sessions.get(watch_id) is None:
        keep(watch_id)
    for process, count in tabs.items():
        stores.current().sessions.apply(watch_id, TabsCounted(process, count), START)


def counted() -> list[float]:
    """Return how many tabs notices reached, and how many they missed, as the metrics say."""
    labels = ({"result": "reached"}, {"result": "missed"})
    return [metrics.REGISTRY.get_sample_value("idlewatch_notices_total", each) or 0.0 for each in labels]


def texts(*tabs: FakeTab) -> list[list[str]]:
    return [[frame["text"] for frame in tab.frames] for tab in tabs]


def answer_to(message: dict[str, Any], told: int = 0, process: str = "another") -> dict[str, Any]:
    about = {"notice": message["notice"], "part": message["part"], "reached": told}
    return {"type": ANSWER, "process": process, **about}


@asynccontextmanager
async def peer(layer: BaseChannelLayer, *answers: tuple[str, int]) -> AsyncIterator[list[dict[str, Any]]]:
    """Have another process listen that answers each notice as this many tabs of these processes; yield the notices."""
    notices: list[dict[str, Any]] = []
    channel = await layer.new_channel()

    async def listen() -> None:
        while True:
            message = await layer.receive(channel)
            if message["type"] == NOTICE:
                notices.append(message)
                for process, told in answers:
                    await layer.send(message["reply"], answer_to(message, told, process))

    await layer.group_add(GROUP, channel)
    task = asyncio.create_task(listen())
    try:
        yield notices
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class TestHere:
    async def test_every_open_tab_of_the_sessions_is_told_once_and_no_other(self, here: Runtime):
        ours, theirs = [*open_tabs(here, "w1", 2), *open_tabs(here, "w2")], open_tabs(here, "w3")
        over = open_tabs(here, "w4")
        stores.current().sessions.end("w4", Reason.REVOKED, START)
        sent = await asend(["w1", "w2", "w1", "w4", "unknown"], "The site closes at noon.")
        assert sent == Reach(3, 3)
        assert texts(*ours) == [["The site closes at noon."]] * 3
        assert texts(*theirs, *over) == [[], []]

    async def test_it_is_the_frame_of_the_protocol_with_an_id_of_its_own(self, here: Runtime):
        (tab,) = open_tabs(here, "w1")
        for _ in range(2):
            await asend(["w1"], "<b>Noon</b>")
        first, second = tab.frames
        assert first == {"type": "notice", "id": first["id"], "text": "<b>Noon</b>"}
        assert first["id"] != second["id"]

    @pytest.mark.parametrize("how", [send, lambda *said: asyncio.run(asend(*said))], ids=["sync", "async"])
    async def test_a_view_sends_it_from_its_thread(self, here: Runtime, how: Callable[..., Reach]):
        (tab,) = open_tabs(here, "w1")
        assert await asyncio.to_thread(how, ["w1"], "Noon") == Reach(1, 1)
        assert texts(tab) == [["Noon"]]

    async def test_the_event_loop_itself_must_not_wait(self, here: Runtime):
        with pytest.raises(SynchronousOnlyOperation, match="asend"):
            send(["w1"], "Noon")

    async def test_tabs_that_are_broken_or_take_nothing_are_not_reached_and_keep_it_from_no_other(
        self, here: Runtime, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(hub_module, "NOTICE_TIMEOUT", 0.05)
        bad = open_tabs(here, "w1", broken=True)
        for stuck in open_tabs(here, "w1", 30):
            stuck.tell = hang  # type: ignore[method-assign]
        good = open_tabs(here, "w1")
        started = time.monotonic()
        assert await asend(["w1"], "Noon") == Reach(1, 32)
        # One after the other they would take more than a second.
        assert time.monotonic() - started < 1
        assert texts(*good, *bad) == [["Noon"], []]

    async def test_the_tabs_of_another_event_loop_are_told_and_counted(self, here: Runtime):
        keep("w1")
        there, joined, done = FakeTab(), threading.Event(), threading.Event()

        async def elsewhere() -> None:
            other = Hub(current_process())
            other.join("w1", there)
            joined.set()
            await asyncio.to_thread(done.wait, WITHIN)

        serving = asyncio.create_task(asyncio.to_thread(asyncio.run, elsewhere()))
        assert await asyncio.to_thread(joined.wait, WITHIN)
        assert await asend(["w1"], "Noon") == Reach(1, 1)
        done.set()
        await serving
        assert texts(there) == [["Noon"]]

    async def test_how_far_it_came_is_logged_and_its_text_is_neither_logged_nor_kept(
        self, here: Runtime, caplog: pytest.LogCaptureFixture
    ):
        caplog.set_level(logging.INFO, "idlewatch")
        open_tabs(here, "w1", 2)
        await asend(["w1"], "Between us")
        assert "notice_sent sessions=1 reached=2 open=2" in caplog.messages
        assert "Between us" not in caplog.text
        late = FakeTab()
        here.hub.join("w1", late)
        await asyncio.sleep(0)
        assert late.frames == []
        assert here.bus._awaited == {}


class TestWithoutWhatItNeeds:
    def test_it_is_an_error_where_nothing_runs_beside_the_requests(self):
        with pytest.raises(NotRunning, match="watched"):
            send(["w1"], "Noon")
        assert issubclass(NotRunning, IdleWatchError)

    @pytest.mark.django_db(transaction=True)
    async def test_it_is_one_too_where_another_process_has_the_tabs(self, here: Runtime, process: Process):
        await sync_to_async(give_store_away)(START)
        await sync_to_async(process.part(StoreLease).renew)(START)
        with pytest.raises(StoreElsewhere):
            await asyncio.to_thread(send, ["w1"], "Noon")

    @pytest.mark.parametrize("answer", [StoreUnavailable, hang], ids=["away", "stuck"])
    async def test_a_store_without_an_answer_is_said_and_nothing_is_sent(
        self, here: Runtime, monkeypatch: pytest.MonkeyPatch, answer: Any
    ):
        (tab,) = open_tabs(here, "w1")
        monkeypatch.setattr(MemorySessions, "aget_many", mock.AsyncMock(side_effect=answer))
        monkeypatch.setattr(notify, "SEND_TIMEOUT", 0.05)
        with pytest.raises(StoreUnavailable):
            await asyncio.to_thread(send, ["w1"], "Noon")
        assert tab.frames == []

    async def test_a_caller_that_is_cancelled_is_not_told_that_the_store_is_away(
        self, here: Runtime, monkeypatch: pytest.MonkeyPatch
    ):
        asked = asyncio.Event()

        async def stuck(self: MemorySessions, watches: object) -> None:
            asked.set()
            await hang()

        monkeypatch.setattr(MemorySessions, "aget_many", stuck)
        sending = asyncio.create_task(asend(["w1"], "Noon"))
        await asyncio.wait_for(asked.wait(), WITHIN)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending

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


class TestOtherProcesses:
    async def test_what_they_told_is_added_up_once_for_a_process_with_several_event_loops(
        self, connected: Runtime, layer: BaseChannelLayer
    ):
        open_tabs(connected, "w1")
        open_elsewhere("w1", another=2, third=1)
        async with peer(layer, ("another", 2), ("another", 2), ("third", 1)) as notices:
            assert await asend(["w1"], "Noon") == Reach(4, 4)
        assert [each["watch_ids"] for each in notices] == [["w1"]]

    async def test_one_that_serves_no_tab_of_theirs_is_not_waited_for(
        self, connected: Runtime, layer: BaseChannelLayer
    ):
        open_tabs(connected, "w1")
        started = time.monotonic()
        async with peer(layer):
            assert await asend(["w1"], "Noon") == Reach(1, 1)
        assert time.monotonic() - started < notify.ACK_TIMEOUT

    async def test_one_that_is_silent_makes_it_fewer_and_no_error(
        self, connected: Runtime, layer: BaseChannelLayer, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(notify, "ACK_TIMEOUT", 0.2)
        open_tabs(connected, "w1")
        open_elsewhere("w1", another=2, dead=5)
        before = counted()
        async with peer(layer, ("another", 2)):
            assert await asend(["w1"], "Noon") == Reach(3, 8)
        assert [now - then for now, then in zip(counted(), before, strict=True)] == [3, 5]

    async def test_many_sessions_go_in_several_messages(
        self, connected: Runtime, layer: BaseChannelLayer, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(notify, "BATCH_SIZE", 4)
        names = [f"w{number}" for number in range(10)]
        for name in names:
            open_elsewhere(name, another=1)
        async with peer(layer, ("another", 4)) as notices:
            assert (await asend(names, "Noon")).reached == 12
        assert [name for each in notices for name in each["watch_ids"]] == names
        assert len(notices) == 3

    async def test_a_notice_from_another_is_shown_here_and_answered(self, connected: Runtime, layer: BaseChannelLayer):
        tabs = [*open_tabs(connected, "w1", 2), *open_tabs(connected, "w2")]
        reply = await layer.new_channel()
        frame = '{"type":"notice","id":"1","text":"Noon"}'
        message = {"type": NOTICE, "process": "another", "reply": reply, "notice": "n", "part": 7, "frame": frame}
        receiving = asyncio.create_task(layer.receive(reply))
        await layer.group_send(GROUP, {**message, "watch_ids": ["w1", "w2", "w3"]})
        answer = await asyncio.wait_for(receiving, WITHIN)
        assert answer == answer_to(message, 3, current_process().name)
        assert texts(*tabs) == [["Noon"]] * 3

    async def test_what_it_does_not_know_and_answers_that_come_too_late_do_no_harm(
        self, connected: Runtime, layer: BaseChannelLayer, caplog: pytest.LogCaptureFixture
    ):
        (tab,) = open_tabs(connected, "w1")
        late = answer_to({"notice": "long gone", "part": 0}, told=9)
        with connected.bus.collecting("last") as answers:
            for message in ({"type": "idlewatch.of_the_future", "process": "another"}, late):
                await layer.group_send(GROUP, message)
            assert await asend(["w1"], "Noon") == Reach(1, 1)
            await layer.group_send(GROUP, answer_to({"notice": "last", "part": 0}))
            await asyncio.wait_for(answers.get(), WITHIN)
        assert texts(tab) == [["Noon"]]
        assert "was dropped" not in caplog.text


class TestAChannelLayerThatIsAway:
    @pytest.mark.parametrize(("failure", "name"), [(OSError, "OSError"), (hang, "TimeoutError")])
    async def test_those_here_are_told_all_the_same(
        self, here: Runtime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, failure: Any, name: str
    ):
        layer = mock.AsyncMock()
        layer.group_send.side_effect = failure
        monkeypatch.setattr(stores.current(), "shared", True)
        monkeypatch.setattr(notify, "get_channel_layer", lambda: layer)
        monkeypatch.setattr(notify, "LAYER_TIMEOUT", 0.05)
        here.bus.channel = "some.channel"
        (tab,) = open_tabs(here, "w1")
        open_elsewhere("w1", another=2)
        assert await asend(["w1"], "Noon") == Reach(1, 3)
        assert texts(tab) == [["Noon"]]
        assert f"The channel layer is unavailable ({name}): a message stays in this process." in caplog.messages

    async def test_without_a_channel_to_answer_to_no_process_is_asked(
        self, here: Runtime, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(stores.current(), "shared", True)
        open_tabs(here, "w1")
        assert here.bus.channel is None
        assert await asend(["w1"], "Noon") == Reach(1, 1)
