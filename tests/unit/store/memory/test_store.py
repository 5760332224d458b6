"""What the memory store keeps, and for how long."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from idlewatch.core.activity import Reason
from idlewatch.core.events import Acted, Held, Requested, TabClosed, TabOpened
from idlewatch.core.policy import Policy
from idlewatch.store.base import TOMBSTONE_TTL
from idlewatch.store.memory import MemoryStore
from idlewatch.store.memory.ledger import MAX_WAITING
from idlewatch.store.values import Due, Touch, Watched
from tests.support.facts import signed_in


@pytest.fixture
def memory() -> MemoryStore:
    return MemoryStore()


def open_session(memory: MemoryStore, watch_id: str = "w1") -> None:
    memory.sessions.open(Watched(id=watch_id, user="7", policy=Policy(), activity=signed_in()), 0.0)


async def work_off(memory: MemoryStore, now: float) -> None:
    """Claim and confirm what is due."""
    for due in Due:
        await memory.queue.confirm(due, await memory.queue.claim(due, now, 10, 10.0), now)


async def test_touches_leave_nothing_behind(memory: MemoryStore) -> None:
    for index in range(10):
        open_session(memory, f"w{index}")
    before = len(memory._ledger.schedule)
    for second in range(1, 5000):
        memory.sessions.apply(f"w{second % 10}", Acted(), second / 10)
    assert len(memory._ledger.schedule) == before


async def test_a_session_that_lives_on_keeps_one_place_in_the_queue(memory: MemoryStore) -> None:
    open_session(memory)
    for second in range(1, 40_000, 60):
        memory.sessions.apply("w1", Requested(), float(second))
        await work_off(memory, float(second))
    assert len(memory._ledger.schedule) <= 4


async def test_forgets_an_end_once_it_is_recorded_and_no_request_can_ask_for_it(memory: MemoryStore) -> None:
    await memory.presence.renew("p1", 0.0, 1e9)
    open_session(memory)
    memory.sessions.apply("w1", TabOpened("p1", 50), 1.0)
    memory.sessions.end("w1", Reason.LOGOUT, 10.0)
    for now in (10.0, 1e4, 1e6):
        assert [each.id for each in await memory.queue.claim(Due.RECORD, now, 10, 10.0)] == ["w1"]
    await work_off(memory, 1e7)
    await work_off(memory, 1e7 + TOMBSTONE_TTL - 1)
    assert memory.sessions.get("w1") is not None
    await work_off(memory, 1e7 + TOMBSTONE_TTL)
    assert memory.sessions.get("w1") is None
    assert not memory._ledger.served["p1"]


async def test_a_process_remembers_only_the_sessions_whose_tabs_it_serves(memory: MemoryStore) -> None:
    await memory.presence.renew("p1", 0.0, 10.0)
    for index in range(100):
        open_session(memory, f"w{index}")
        memory.sessions.apply(f"w{index}", TabOpened("p1", 50), 1.0)
        memory.sessions.apply(f"w{index}", TabClosed("p1", closed=False), 2.0)
    assert not memory._ledger.served
    for index in range(2):
        memory.sessions.apply(f"w{index}", TabOpened("p1", 50), 3.0)
    memory.sessions.apply("w1", TabClosed("p1", closed=False), 4.0)
    assert memory._ledger.served == {"p1": {"w0"}}
    await memory.presence.reap(10.0)
    assert not memory._ledger.served


async def test_knows_what_the_records_lack_until_it_is_written(memory: MemoryStore) -> None:
    signed_in_now, resumed = "w1", Watched(id="w2", user="7", policy=Policy(), activity=signed_in())
    open_session(memory, signed_in_now)
    memory.sessions.open_many([resumed], 0.0)
    assert [each.id for each in await memory.queue.unwritten()] == [signed_in_now]
    memory.queue.note_written(await memory.queue.unwritten())
    assert not await memory.queue.unwritten()
    sessions = [await memory.sessions.aget(each) for each in ("w1", "w2")]
    assert memory.queue.written([each for each in sessions if each]) == sessions
    memory.sessions.apply("w2", Acted(), 1.0)
    assert memory.queue.written([each for each in sessions if each]) == sessions[:1]
    before = await memory.queue.unwritten()
    memory.sessions.apply("w2", Acted(), 2.0)
    memory.queue.note_written(before)
    assert [each.activity.active for each in await memory.queue.unwritten()] == [2.0]
    memory.sessions.end("w2", Reason.LOGOUT, 3.0)
    assert not await memory.queue.unwritten()


async def test_the_records_lack_no_tabs_but_that_a_closed_browser_is_back(memory: MemoryStore) -> None:
    policy = Policy(close_grace=60.0)
    activities = signed_in(), replace(signed_in(), closed_at=0.5)
    resumed = [
        Watched(id=f"w{number}", user="7", policy=policy, activity=each) for number, each in enumerate(activities)
    ]
    memory.sessions.open_many(resumed, 1.0)
    for watched in resumed:
        memory.sessions.apply(watched.id, TabOpened("p1", 50), 2.0)
    assert [each.id for each in await memory.queue.unwritten()] == ["w1"]
    memory.queue.note_written(await memory.queue.unwritten())
    memory.sessions.apply("w0", TabClosed("p1", closed=False), 3.0)
    assert not await memory.queue.unwritten()
    memory.sessions.apply("w1", TabClosed("p1", closed=True), 3.0)
    assert [each.id for each in await memory.queue.unwritten()] == ["w1"]


async def test_writes_at_the_shutdown_what_a_checkpoint_leaves_out_and_what_a_hold_adds(memory: MemoryStore) -> None:
    closing = Policy(close_grace=60.0)
    memory.sessions.open(Watched(id="w1", user="7", policy=closing, activity=signed_in()), 0.0)
    open_session(memory, "w2")
    memory.sessions.apply("w1", TabOpened("p1", 50), 1.0)
    memory.sessions.apply("w1", TabClosed("p1", closed=True), 2.0)
    memory.sessions.apply("w2", Held("h1", "upload"), 2.0)
    memory.queue.note_written(await memory.queue.unwritten())
    assert [each.id for each in await memory.queue.unwritten()] == ["w1", "w2"]


class TestCollectedTouches:
    @pytest.fixture(autouse=True)
    def session_with_a_tab(self, memory: MemoryStore) -> None:
        open_session(memory)
        memory.sessions.apply("w1", TabOpened("p1", 50), 1.0)

    @staticmethod
    def collect(memory: MemoryStore, at: float, *, ago: float = 0.0, process: str = "p1", watch_id: str = "w1") -> bool:
        return memory.sessions.collect(Touch(watch_id, at - ago, at), process)

    async def test_are_credited_before_a_request_is_judged(self, memory: MemoryStore) -> None:
        assert self.collect(memory, 770.0, ago=5.0)
        watched = memory.sessions.apply("w1", Requested(), 1600.0)
        assert watched is not None
        assert watched.activity.ended is None
        assert watched.activity.active == 1600.0

    async def test_put_off_what_is_due(self, memory: MemoryStore) -> None:
        assert self.collect(memory, 770.0)
        assert not await memory.queue.claim(Due.PUSH, 1549.0, 10, 10.0)
        assert await memory.queue.claim(Due.PUSH, 1550.0, 10, 10.0)

    async def test_change_what_is_seen_as_if_applied_when_they_came(self, memory: MemoryStore) -> None:
        other = MemoryStore()
        open_session(other)
        other.sessions.apply("w1", TabOpened("p1", 50), 1.0)
        for at, ago in ((10.0, 0.0), (12.0, 5.0), (20.0, 1.0)):
            assert self.collect(memory, at, ago=ago)
            other.sessions.apply("w1", Acted(ago), at)
        assert memory.sessions.get("w1") == other.sessions.get("w1")

    async def test_are_none_where_more_is_to_be_done(self, memory: MemoryStore) -> None:
        assert not self.collect(memory, 10.0, watch_id="unknown")
        assert not self.collect(memory, 10.0, process="p2")
        assert not self.collect(memory, 780.0)
        await memory.queue.settle(await memory.queue.claim(Due.PUSH, 780.0, 10, 10.0), 780.0)
        assert not self.collect(memory, 781.0)
        memory.sessions.end("w1", Reason.REVOKED, 782.0)
        assert not self.collect(memory, 783.0)

    async def test_wait_in_bounded_numbers(self, memory: MemoryStore) -> None:
        for number in range(2 * MAX_WAITING):
            assert self.collect(memory, 2.0 + number / 1000)
            assert len(memory._ledger._waiting) < MAX_WAITING
