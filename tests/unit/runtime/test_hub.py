from __future__ import annotations

import asyncio
import json
import threading
import time

import pytest

from idlewatch.process import current_process
from idlewatch.runtime import hub as hub_module
from idlewatch.runtime.bus import change_from, message_of
from idlewatch.runtime.hub import YIELD_EVERY, Change, Hub
from tests.support.sockets import FakeTab, errors

NEWS = Change("w1", '{"phase": "warned"}', ended=False, shown=("warned", "idle", True))
END = Change("w1", '{"phase": "ended"}', ended=True, shown=("ended", "idle", False))


async def test_every_tab_of_a_watch_is_told_and_no_other():
    hub, mine, others = Hub(current_process()), [FakeTab() for _ in range(3)], FakeTab()
    for tab in mine:
        hub.join("w1", tab)
    hub.join("w2", others)
    await hub.deliver([NEWS])
    assert [tab.frames for tab in mine] == [[{"phase": "warned"}]] * 3
    assert others.frames == []


async def test_changes_arrive_in_their_order():
    hub, tab = Hub(current_process()), FakeTab()
    hub.join("w1", tab)
    await hub.deliver([NEWS, END])
    assert [frame["phase"] for frame in tab.frames] == ["warned", "ended"]
    assert tab.ended


async def test_a_change_of_a_watch_without_tabs_here_is_dropped():
    await Hub(current_process()).deliver([NEWS, END])


async def test_a_tab_that_left_hears_nothing_and_nothing_is_kept():
    hub, tab = Hub(current_process()), FakeTab()
    hub.join("w1", tab)
    hub.leave("w1", tab)
    await hub.deliver([NEWS])
    assert tab.frames == []
    assert hub._tabs == {}


async def test_leaving_twice_or_without_having_joined_does_no_harm():
    hub, tab, other = Hub(current_process()), FakeTab(), FakeTab()
    hub.join("w1", other)
    for _ in range(2):
        hub.leave("w1", tab)
        hub.leave("w2", tab)
    assert hub.tabs() == {"w1": (1, 0.0)}


async def test_joining_twice_counts_once():
    hub, tab = Hub(current_process()), FakeTab()
    for _ in range(2):
        hub.join("w1", tab)
    await hub.deliver([NEWS])
    assert len(tab.frames) == 1
    assert hub.tabs() == {"w1": (1, 0.0)}


async def test_a_broken_tab_keeps_the_news_from_no_other(caplog: pytest.LogCaptureFixture):
    hub, tabs = Hub(current_process()), [FakeTab(broken=number % 2 == 0) for number in range(10)]
    for tab in tabs:
        hub.join("w1", tab)
    await hub.deliver([NEWS, END])
    assert [len(tab.frames) for tab in tabs] == [0, 2] * 5
    assert len(errors(caplog)) == 10


async def test_tabs_that_come_and_go_meanwhile_do_no_harm():
    hub = Hub(current_process())
    late = FakeTab()

    class Restless(FakeTab):
        async def tell(self, frame: str, *, ended: bool) -> None:
            await super().tell(frame, ended=ended)
            hub.leave("w1", self)
            hub.join("w1", late)

    tabs = [Restless() for _ in range(5)]
    for tab in tabs:
        hub.join("w1", tab)
    await hub.deliver([NEWS])
    assert all(len(tab.frames) == 1 for tab in tabs)
    assert hub.tabs() == {"w1": (1, 0.0)}


async def test_others_get_their_turn_while_many_are_told():
    hub, turns = Hub(current_process()), []
    for number in range(YIELD_EVERY * 5):
        hub.join(f"w{number % 7}", FakeTab())

    async def other() -> None:
        while True:
            turns.append(1)
            await asyncio.sleep(0)

    task = asyncio.ensure_future(other())
    await hub.deliver([Change(f"w{number}", "{}", ended=False, shown=("active", None, True)) for number in range(7)])
    task.cancel()
    assert len(turns) >= 4


async def test_dismissing_sends_every_tab_away_though_some_are_broken(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(hub_module, "DRAIN_TIMEOUT", 0.01)
    hub, tabs = Hub(current_process()), [FakeTab(broken=number % 2 == 0) for number in range(6)]
    for number, tab in enumerate(tabs):
        hub.join(f"w{number // 2}", tab)
    await hub.dismiss()
    assert [tab.dismissed for tab in tabs] == [False, True] * 3
    assert hub.dismissed
    assert len(errors(caplog)) == 3


async def test_a_tab_that_never_takes_its_frame_does_not_keep_it_from_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Other servers than Daphne wait for the client to read."""
    monkeypatch.setattr("idlewatch.runtime.hub.TAB_TIMEOUT", 0.05)

    class Stuck(FakeTab):
        async def tell(self, frame: str, *, ended: bool) -> None:
            await asyncio.Event().wait()

    hub, tabs = Hub(current_process()), [FakeTab(), FakeTab()]
    hub.join("w1", tabs[0])
    hub.join("w1", Stuck())
    hub.join("w1", tabs[1])
    await hub.deliver([NEWS])
    assert [len(tab.frames) for tab in tabs] == [1, 1]
    assert len(errors(caplog)) == 1


async def test_the_tabs_of_another_event_loop_are_told_too():
    hub, told = Hub(current_process()), threading.Event()
    joined, done = threading.Event(), threading.Event()

    class Telling(FakeTab):
        async def tell(self, frame: str, *, ended: bool) -> None:
            await super().tell(frame, ended=ended)
            told.set()

    there = Telling()

    async def elsewhere() -> None:
        other = Hub(current_process())
        other.join("w1", there)
        joined.set()
        await asyncio.to_thread(done.wait, 10)

    thread = threading.Thread(target=asyncio.run, args=[elsewhere()])
    thread.start()
    try:
        assert await asyncio.to_thread(joined.wait, 5)
        await hub.deliver([NEWS])
        assert await asyncio.to_thread(told.wait, 5)
    finally:
        done.set()
        await asyncio.to_thread(thread.join, 5)
    started = time.monotonic()
    # That loop is closed now, and hinders no other.
    await hub.deliver([NEWS])
    assert time.monotonic() - started < 1
    assert len(there.frames) == 1


class TestTold:
    async def test_who_joined_takes_the_session_for_active(self):
        hub = Hub(current_process())
        hub.join("w1", FakeTab())
        assert hub.has_told(Change("w1", "{}", ended=False, shown=("active", None, True)))
        assert not hub.has_told(NEWS)

    async def test_what_was_told_is_known_until_something_else_is(self):
        hub = Hub(current_process())
        hub.join("w1", FakeTab())
        await hub.deliver([NEWS])
        assert hub.has_told(NEWS)
        assert hub.has_told(
            change_from(json.loads(json.dumps(message_of(current_process().name, [NEWS])))["changes"][0])
        )
        assert not hub.has_told(END)
        await hub.deliver([END])
        assert not hub.has_told(NEWS)

    async def test_nothing_is_kept_of_a_watch_whose_tabs_went(self):
        hub, tab = Hub(current_process()), FakeTab()
        await hub.deliver([NEWS])
        assert hub._told == {}
        hub.join("w1", tab)
        await hub.deliver([NEWS])
        hub.leave("w1", tab)
        assert hub._told == {}


class TestSeeingOff:
    async def test_waits_until_the_last_tab_has_gone(self):
        hub, tabs = Hub(current_process()), [FakeTab() for _ in range(2)]
        for tab in tabs:
            hub.join("w1", tab)
        dismissing = asyncio.create_task(hub.dismiss())
        await asyncio.sleep(0)
        assert all(tab.dismissed for tab in tabs)
        hub.leave("w1", tabs[0])
        await asyncio.sleep(0)
        assert not dismissing.done()
        hub.leave("w1", tabs[1])
        await asyncio.wait_for(dismissing, 1)

    async def test_returns_at_once_without_tabs(self):
        await asyncio.wait_for(Hub(current_process()).dismiss(), 0.1)

    async def test_gives_up_on_one_that_does_not_go(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(hub_module, "DRAIN_TIMEOUT", 0.01)
        hub = Hub(current_process())
        hub.join("w1", FakeTab())
        await asyncio.wait_for(hub.dismiss(), 1)
