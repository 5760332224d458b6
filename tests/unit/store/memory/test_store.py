"""What is the memory store's own: threads, and what an operation costs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from idlewatch.core.activity import Activity, Reason
from idlewatch.core.events import Acted, Extended, Requested, TabClosed, TabOpened
from idlewatch.core.policy import Policy
from idlewatch.exceptions import TooManyTabs
from idlewatch.store.memory import MemoryStore
from idlewatch.store.memory.ledger import TOMBSTONE_TTL
from idlewatch.store.values import Due, Watched
from tests.support.facts import signed_in

POLICY = Policy()
THREADS = 8


@pytest.fixture
def memory() -> MemoryStore:
    return MemoryStore()


def watched(watch_id: str = "w1", activity: Activity | None = None) -> Watched:
    return Watched(id=watch_id, user="7", policy=POLICY, activity=activity or signed_in())


def at_once(work: Callable[[int], object]) -> list[object]:
    """Let threads do some work, all of them starting together."""
    start = Barrier(THREADS)

    def one(index: int) -> object:
        start.wait()
        return work(index)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(one, range(THREADS)))


def queued(memory: MemoryStore) -> int:
    return len(memory._ledger.schedule)


def test_belongs_to_one_process(memory: MemoryStore) -> None:
    assert not memory.shared


def test_threads_lose_no_change(memory: MemoryStore) -> None:
    memory.sessions.open(watched(), 0.0)
    first = memory.sessions.get("w1")

    def extend(index: int) -> None:
        for step in range(200):
            memory.sessions.apply("w1", Extended(), float(step))

    at_once(extend)
    last = memory.sessions.get("w1")
    assert first is not None
    assert last is not None
    assert last.activity.extensions == THREADS * 200
    assert last.version >= first.version + THREADS * 200


@pytest.mark.rule("R17")
def test_threads_together_get_no_tab_more_than_allowed(memory: MemoryStore) -> None:
    memory.sessions.open(watched(), 0.0)

    def open_tabs(index: int) -> int:
        opened = 0
        for _ in range(20):
            try:
                memory.sessions.apply("w1", TabOpened(f"p{index}", 50), 1.0)
            except TooManyTabs:
                continue
            opened += 1
        return opened

    assert sum(map(int, map(str, at_once(open_tabs)))) == 50


def test_timers_in_several_loops_share_what_is_due_and_never_the_same(memory: MemoryStore) -> None:
    for index in range(400):
        memory.sessions.open(watched(f"w{index}"), 0.0)

    async def claim_all() -> list[str]:
        claimed = []
        while batch := await memory.queue.claim(Due.PUSH, 780.0, 7, 10.0):
            claimed += [each.id for each in batch]
        return claimed

    parts = at_once(lambda index: asyncio.run(claim_all()))
    claimed = [watch_id for part in parts for watch_id in part]  # type: ignore[attr-defined]
    assert sorted(claimed) == sorted(f"w{index}" for index in range(400))


async def test_touches_leave_nothing_behind(memory: MemoryStore) -> None:
    for index in range(10):
        memory.sessions.open(watched(f"w{index}"), 0.0)
    before = queued(memory)
    for second in range(1, 5000):
        memory.sessions.apply(f"w{second % 10}", Acted(), second / 10)
    assert queued(memory) == before


async def test_a_session_that_lives_on_keeps_one_place_in_the_queue(memory: MemoryStore) -> None:
    memory.sessions.open(watched(), 0.0)
    for second in range(1, 40_000, 60):
        memory.sessions.apply("w1", Requested(), float(second))
        for due in Due:
            for each in await memory.queue.claim(due, float(second), 10, 10.0):
                await memory.queue.confirm(due, [each], float(second))
    assert queued(memory) <= 4


async def test_forgets_an_end_once_no_request_can_ask_for_it(memory: MemoryStore) -> None:
    await memory.presence.renew("p1", 0.0, 1e9)
    memory.sessions.open(watched(), 0.0)
    memory.sessions.apply("w1", TabOpened("p1", 50), 1.0)
    memory.sessions.end("w1", Reason.LOGOUT, 10.0)
    for due in Due:
        for each in await memory.queue.claim(due, 10.0, 10, 10.0):
            await memory.queue.confirm(due, [each], 10.0)
    await memory.queue.claim(Due.RECORD, 10.0 + TOMBSTONE_TTL - 1, 10, 10.0)
    assert memory.sessions.get("w1") is not None
    await memory.queue.claim(Due.RECORD, 10.0 + TOMBSTONE_TTL, 10, 10.0)
    assert memory.sessions.get("w1") is None
    assert not memory._ledger.served["p1"]


async def test_keeps_an_end_that_is_not_recorded_however_long_it_takes(memory: MemoryStore) -> None:
    memory.sessions.end("w1", Reason.LOGOUT, 10.0)
    for now in (10.0, 1e4, 1e6, 1e9):
        assert [each.id for each in await memory.queue.claim(Due.RECORD, now, 10, 10.0)] == ["w1"]


async def test_a_process_remembers_only_the_sessions_whose_tabs_it_serves(memory: MemoryStore) -> None:
    await memory.presence.renew("p1", 0.0, 10.0)
    for index in range(100):
        memory.sessions.open(watched(f"w{index}"), 0.0)
        memory.sessions.apply(f"w{index}", TabOpened("p1", 50), 1.0)
        memory.sessions.apply(f"w{index}", TabClosed("p1", closed=False), 2.0)
    assert not memory._ledger.served
    for index in range(2):
        memory.sessions.apply(f"w{index}", TabOpened("p1", 50), 3.0)
    memory.sessions.apply("w1", TabClosed("p1", closed=False), 4.0)
    assert memory._ledger.served == {"p1": {"w0"}}
    await memory.presence.reap(10.0)
    assert not memory._ledger.served


def test_listeners_come_and_go_while_others_work(memory: MemoryStore) -> None:
    def work(index: int) -> None:
        for step in range(50):
            stop = memory.queue.on_due_sooner(Due.PUSH, lambda: None)
            asyncio.run(memory.queue.next_due(Due.PUSH))
            memory.sessions.end(f"w{index}-{step}", Reason.LOGOUT, 1.0)
            stop()

    at_once(work)
    assert memory._ledger.schedule._listeners[Due.PUSH] == []
