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
from idlewatch.store.base import Due, Watched
from idlewatch.store.memory.store import TOMBSTONE_TTL, MemoryStore
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
    return sum(len(heap) for heap in memory._heaps.values())


def test_belongs_to_one_process(memory: MemoryStore) -> None:
    assert not memory.shared


def test_threads_lose_no_change(memory: MemoryStore) -> None:
    memory.open(watched(), 0.0)
    first = memory.get("w1")

    def extend(index: int) -> None:
        for step in range(200):
            memory.apply("w1", Extended(), float(step))

    at_once(extend)
    last = memory.get("w1")
    assert first is not None
    assert last is not None
    assert last.activity.extensions == THREADS * 200
    assert last.version >= first.version + THREADS * 200


@pytest.mark.rule("R17")
def test_threads_together_get_no_tab_more_than_allowed(memory: MemoryStore) -> None:
    memory.open(watched(), 0.0)

    def open_tabs(index: int) -> int:
        opened = 0
        for _ in range(20):
            try:
                memory.apply("w1", TabOpened(f"p{index}", 50), 1.0)
            except TooManyTabs:
                continue
            opened += 1
        return opened

    assert sum(map(int, map(str, at_once(open_tabs)))) == 50


def test_one_of_many_threads_opens_and_one_gives_the_reason(memory: MemoryStore) -> None:
    opened = at_once(lambda index: memory.open(watched(activity=signed_in(float(index))), 10.0))
    assert all(each == opened[0] for each in opened)
    reasons = [Reason.LOGOUT, Reason.REVOKED, Reason.REPLACED, Reason.ACCOUNT]
    ended = at_once(lambda index: memory.end("w1", reasons[index % 4], 20.0))
    assert all(each == ended[0] for each in ended)


def test_timers_in_several_loops_share_what_is_due_and_never_the_same(memory: MemoryStore) -> None:
    for index in range(400):
        memory.open(watched(f"w{index}"), 0.0)

    async def claim_all() -> list[str]:
        claimed = []
        while batch := await memory.aclaim(Due.PUSH, 780.0, 7, 10.0):
            claimed += [each.id for each in batch]
        return claimed

    parts = at_once(lambda index: asyncio.run(claim_all()))
    claimed = [watch_id for part in parts for watch_id in part]  # type: ignore[attr-defined]
    assert sorted(claimed) == sorted(f"w{index}" for index in range(400))


async def test_touches_leave_nothing_behind(memory: MemoryStore) -> None:
    for index in range(10):
        memory.open(watched(f"w{index}"), 0.0)
    before = queued(memory)
    for second in range(1, 5000):
        memory.apply(f"w{second % 10}", Acted(), second / 10)
    assert queued(memory) == before


async def test_a_session_that_lives_on_keeps_one_place_in_the_queue(memory: MemoryStore) -> None:
    memory.open(watched(), 0.0)
    for second in range(1, 40_000, 60):
        memory.apply("w1", Requested(), float(second))
        for due in Due:
            for each in await memory.aclaim(due, float(second), 10, 10.0):
                await memory.aconfirm(due, each, float(second), next_at=second + 60.0)
    assert queued(memory) <= 4


async def test_a_moment_that_moved_is_put_right_when_it_comes_up(memory: MemoryStore) -> None:
    memory.open(watched(), 0.0)
    memory.apply("w1", Acted(), 700.0)
    assert await memory.anext_due(Due.PUSH) == 780.0
    assert not await memory.aclaim(Due.PUSH, 780.0, 10, 10.0)
    assert await memory.anext_due(Due.PUSH) == 1480.0


async def test_forgets_an_end_once_nobody_can_ask_for_it(memory: MemoryStore) -> None:
    await memory.arenew("p1", 0.0, 1e9)
    memory.open(watched(), 0.0)
    memory.apply("w1", TabOpened("p1", 50), 1.0)
    memory.end("w1", Reason.LOGOUT, 10.0)
    for due in Due:
        for each in await memory.aclaim(due, 10.0, 10, 10.0):
            await memory.aconfirm(due, each, 10.0)
    await memory.aclaim(Due.RECORD, 10.0 + TOMBSTONE_TTL - 1, 10, 10.0)
    assert memory.get("w1") is not None
    await memory.aclaim(Due.RECORD, 10.0 + TOMBSTONE_TTL, 10, 10.0)
    assert memory.get("w1") is None
    assert not memory._served["p1"]


async def test_keeps_an_end_that_is_not_recorded_however_long_it_takes(memory: MemoryStore) -> None:
    memory.end("w1", Reason.LOGOUT, 10.0)
    for now in (10.0, 1e4, 1e6, 1e9):
        assert [each.id for each in await memory.aclaim(Due.RECORD, now, 10, 10.0)] == ["w1"]


async def test_a_process_remembers_only_the_sessions_whose_tabs_it_serves(memory: MemoryStore) -> None:
    await memory.arenew("p1", 0.0, 10.0)
    for index in range(100):
        memory.open(watched(f"w{index}"), 0.0)
        memory.apply(f"w{index}", TabOpened("p1", 50), 1.0)
        memory.apply(f"w{index}", TabClosed("p1", closed=False), 2.0)
    assert not memory._served
    memory.apply("w0", TabOpened("p1", 50), 3.0)
    await memory.areap(10.0)
    assert not memory._served


async def test_whoever_was_woken_is_not_woken_again_for_what_is_due_later_than_that(memory: MemoryStore) -> None:
    calls: list[str] = []
    memory.on_due_sooner(Due.PUSH, lambda: calls.append("sooner"))
    await memory.anext_due(Due.PUSH)
    for index in range(3):
        memory.open(watched(f"w{index}", signed_in(float(index))), float(index))
    assert calls == ["sooner"]


def test_listeners_come_and_go_while_others_work(memory: MemoryStore) -> None:
    def work(index: int) -> None:
        for step in range(50):
            stop = memory.on_due_sooner(Due.PUSH, lambda: None)
            asyncio.run(memory.anext_due(Due.PUSH))
            memory.end(f"w{index}-{step}", Reason.LOGOUT, 1.0)
            stop()

    at_once(work)
    assert memory._listeners[Due.PUSH] == []
