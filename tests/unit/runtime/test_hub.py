from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import pytest

from idlewatch.process import current_process
from idlewatch.runtime import fan_out
from idlewatch.runtime import hub as hub_module
from idlewatch.runtime.changes import Change
from idlewatch.runtime.fan_out import YIELD_EVERY
from idlewatch.runtime.hub import NOTICE_TIMEOUT, TAB_TIMEOUT, Hub, Hubs
from tests.support.clocks import TestClock
from tests.support.sockets import FakeTab, errors, until

NEWS = Change("w1", '{"phase": "warned"}', ended=False, shown=("warned", "idle", True))
END = Change("w1", '{"phase": "ended"}', ended=True, shown=("ended", "idle", False))


T = TypeVar("T", bound=FakeTab)


@pytest.fixture
def hub() -> Hub:
    return Hub(current_process())


def join(hub: Hub, count: int = 1, tab: Callable[[], T] = FakeTab) -> list[T]:  # type: ignore[assignment]
    tabs = [tab() for _ in range(count)]
    for each in tabs:
        hub.join("w1", each)
    return tabs


broken_tab = partial(FakeTab, broken=True)


async def test_every_tab_of_a_session_is_told_of_its_changes_in_their_order_and_no_other(hub: Hub):
    mine, other = join(hub, 3), FakeTab()
    hub.join("w2", other)
    await hub.deliver([NEWS, END])
    assert [[frame["phase"] for frame in tab.frames] for tab in mine] == [["warned", "ended"]] * 3
    assert all(tab.ended for tab in mine)
    assert other.frames == []


async def test_a_tab_that_joins_or_leaves_twice_counts_once_and_nothing_is_kept_of_it(hub: Hub):
    (tab,), other = join(hub), FakeTab()
    hub.join("w1", tab)
    hub.leave("w1", other)
    hub.leave("w2", tab)
    assert hub.tabs() == {"w1": 1}
    await hub.deliver([NEWS])
    assert len(tab.frames) == 1
    for _ in range(2):
        hub.leave("w1", tab)
    await hub.deliver([NEWS])
    assert len(tab.frames) == 1
    assert (hub._tabs, hub._told) == ({}, {})


async def test_tabs_that_come_and_go_meanwhile_do_no_harm(hub: Hub):
    late = FakeTab()

    class Restless(FakeTab):
        async def tell(self, frame: str, *, ended: bool) -> None:
            await super().tell(frame, ended=ended)
            hub.leave("w1", self)
            hub.join("w1", late)

    tabs = join(hub, 5, Restless)
    await hub.deliver([NEWS])
    assert all(len(tab.frames) == 1 for tab in tabs)
    assert hub.tabs() == {"w1": 1}


async def test_others_get_their_turn_while_many_are_told(hub: Hub):
    turns = []
    join(hub, YIELD_EVERY * 5)

    async def other() -> None:
        while True:
            turns.append(1)
            await asyncio.sleep(0)

    task = asyncio.ensure_future(other())
    await hub.deliver([NEWS])
    task.cancel()
    assert len(turns) >= 4


async def test_tabs_that_are_broken_keep_a_change_from_no_other(hub: Hub, caplog: pytest.LogCaptureFixture):
    join(hub, 3, broken_tab)
    tabs = join(hub, 5)
    await hub.deliver([NEWS, END])
    assert [len(tab.frames) for tab in tabs] == [2] * 5
    assert len(errors(caplog)) == 2 * 3


class Stuck(FakeTab):
    """A tab whose client does not read, on a server whose `send` waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = asyncio.Event()

    async def tell(self, frame: str, *, ended: bool) -> None:
        await self.reads.wait()
        await super().tell(frame, ended=ended)

    async def dismiss(self) -> None:
        await self.reads.wait()
        await super().dismiss()


@pytest.mark.rule("R24")
class TestTabsThatDoNotRead:
    @pytest.fixture
    def clock(self) -> TestClock:
        clock = current_process().clock
        assert isinstance(clock, TestClock)
        return clock

    async def test_hold_up_no_change_and_are_closed(self, hub: Hub, clock: TestClock):
        clock.take_over()
        stuck, (tab,) = join(hub, 50, Stuck), join(hub)
        await hub.deliver([NEWS])
        assert len(tab.frames) == 1
        await clock.advance(TAB_TIMEOUT - 0.1)
        await hub.deliver([END])
        assert len(tab.frames) == 2
        assert not any(each.dropped for each in stuck)
        await clock.advance(0.1)
        assert all(each.dropped for each in stuck)

    async def test_that_read_late_get_every_change_in_its_order(self, hub: Hub, clock: TestClock):
        clock.take_over()
        (late,) = join(hub, 1, Stuck)
        for change in (NEWS, NEWS, END):
            await hub.deliver([change])
        late.reads.set()
        await clock.advance(TAB_TIMEOUT)
        assert [frame["phase"] for frame in late.frames] == ["warned", "warned", "ended"]
        assert not late.dropped
        await hub.deliver([END])
        assert len(late.frames) == 4

    async def test_hold_up_a_notice_once_for_all_of_them(self, hub: Hub, clock: TestClock):
        clock.take_over()
        join(hub, 3 * YIELD_EVERY, Stuck)
        tabs = join(hub, 5)
        showing = asyncio.create_task(hub.show(["w1"], "{}"))
        await clock.advance(NOTICE_TIMEOUT)
        assert await showing == 5
        assert all(tab.frames for tab in tabs)

    async def test_hold_up_no_close(self, hub: Hub, clock: TestClock):
        clock.take_over()
        join(hub, 50, Stuck)
        (tab,), guest = join(hub), FakeTab()
        hub.admit(guest)
        await hub.send_back()
        assert tab.dismissed
        assert guest.dismissed

    async def test_wait_in_bounded_number(self, hub: Hub, clock: TestClock, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(fan_out, "MAX_WAITING", 2)
        clock.take_over()
        join(hub, 5, Stuck)
        hub.join("w2", tab := FakeTab())
        telling = asyncio.create_task(hub.tell([NEWS, Change("w2", "{}", ended=False, shown=NEWS.shown)]))
        await clock.advance(0)
        assert len(hub._fan_out._waiting) == 2
        await clock.advance(3 * TAB_TIMEOUT)
        assert len(tab.frames) == 1
        await telling


async def test_tabs_that_read_need_no_tasks_of_their_own(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    process, started = current_process(), []
    start = process.start
    monkeypatch.setattr(process, "start", lambda work: started.append(work) or start(work))
    join(hub, YIELD_EVERY * 5)
    await hub.deliver([NEWS, END])
    await hub.show(["w1"], "{}")
    await hub.send_back()
    assert len(started) == 3


async def test_the_tabs_of_another_event_loop_are_told_too(hub: Hub):
    there, joined, done = FakeTab(), threading.Event(), threading.Event()

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
        await until(lambda: there.frames)
    finally:
        done.set()
        await asyncio.to_thread(thread.join, 5)
    # That loop is closed now, and hinders no other.
    async with asyncio.timeout(1):
        await hub.deliver([NEWS])
    assert len(there.frames) == 1


async def test_what_was_told_is_known_until_something_else_is(hub: Hub):
    await hub.deliver([NEWS])
    join(hub)
    # A tab that joins takes the session for active.
    assert hub.has_told(Change("w1", "{}", ended=False, shown=("active", None, True)))
    assert not hub.has_told(NEWS)
    await hub.deliver([NEWS])
    assert hub.has_told(NEWS)
    assert not hub.has_told(END)
    await hub.deliver([END])
    assert not hub.has_told(NEWS)


async def test_two_reports_in_progress_are_over_with_the_second(hub: Hub):
    with hub.counting("w1"):
        with hub.counting("w1"):
            pass
        assert hub.is_counting("w1")
    assert not hub.is_counting("w1")


class TestDismissing:
    async def test_waits_until_the_last_tab_has_gone(self, hub: Hub):
        tabs = join(hub, 2)
        dismissing = asyncio.create_task(hub.dismiss())
        await until(lambda: all(tab.dismissed for tab in tabs))
        hub.leave("w1", tabs[0])
        await asyncio.sleep(0)
        assert not dismissing.done()
        hub.leave("w1", tabs[1])
        await asyncio.wait_for(dismissing, 1)

    async def test_returns_at_once_without_tabs(self, hub: Hub):
        await asyncio.wait_for(hub.dismiss(), 0.1)
        assert hub.dismissed

    async def test_gives_up_on_one_that_does_not_go(
        self, hub: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ):
        monkeypatch.setattr(hub_module, "DRAIN_TIMEOUT", 0.01)
        join(hub, 1, broken_tab)
        (tab,) = join(hub)
        await asyncio.wait_for(hub.dismiss(), 1)
        assert tab.dismissed
        assert len(errors(caplog)) == 1


async def test_a_loop_that_is_closed_took_its_tabs_with_it(hub: Hub):
    other = Hub(current_process())
    gone = asyncio.new_event_loop()
    other.join("w1", FakeTab())
    other._loop = gone
    gone.close()
    join(hub)
    assert await hub.show(["w1"], "{}") == 1
    await hub.deliver([NEWS])


async def test_a_hub_is_read_while_tabs_come_and_go_on_another_event_loop(hub: Hub):
    class Tabs(set[Any]):
        def __len__(self) -> int:
            hub.join("w2", FakeTab())
            return super().__len__()

    hub._tabs["w1"] = Tabs([FakeTab()])
    assert current_process().part(Hubs).tabs() == {"w1": 1}
    assert hub.count("w2") == 1
