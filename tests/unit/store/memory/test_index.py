"""The memory store's order of sessions: exact whenever it is read, and cheap until then."""

from __future__ import annotations

import random

from msgspec.structs import replace

from idlewatch.core.activity import Reason
from idlewatch.core.policy import UNWARNED, Phase, Policy, Shown
from idlewatch.store.memory.index import Index
from idlewatch.store.values import Watched
from tests.support.facts import signed_in

WARNED = Shown(Phase.WARNED, Reason.IDLE, True)


def watched(watch_id: str, at: float, *, tabs: int = 0, shown: Shown = UNWARNED) -> Watched:
    return Watched(
        id=watch_id, user="7", policy=Policy(), activity=signed_in(at, tabs={"p1": tabs} if tabs else {}), shown=shown
    )


def order(index: Index) -> list[str]:
    total, watches = index.page(None, None, 0, 10_000, reverse=False)
    assert total == len(watches)
    return list(watches)


def test_is_exact_after_few_moves_and_after_many() -> None:
    draw, index, live = random.Random(7), Index(), {}
    for count in (400, 3, 40, 1, 390, 0, 60):
        for watch_id in draw.sample([f"w{number:03}" for number in range(400)], count):
            each = watched(
                watch_id, float(draw.randrange(90)), tabs=draw.randrange(2), shown=draw.choice([UNWARNED, WARNED])
            )
            if draw.random() < 0.1:
                each = replace(each, activity=each.activity.finished(Reason.LOGOUT, 100.0))
                live.pop(watch_id, None)
            else:
                live[watch_id] = each
            index.put(each)
        ranked = sorted(live.values(), key=lambda each: (each.shown == UNWARNED, each.activity.active, each.id))
        expected = [each.id for each in ranked]
        assert order(index) == expected
        for offset in (0, 1, 7, 100, 333, 399):
            assert index.page(None, None, offset, 20, reverse=False)[1] == expected[offset : offset + 20]
            assert index.page(None, None, offset, 20, reverse=True)[1] == expected[::-1][offset : offset + 20]


def test_puts_nothing_in_its_place_until_the_order_is_read() -> None:
    index = Index()
    for number in range(10):
        index.put(watched(f"w{number}", 0.0))
    order(index)
    for moment in range(1000):
        index.put(watched(f"w{moment % 10}", float(moment)))
    assert {deadline for _, deadline in index._places.values()} == {Policy().idle_timeout}
    assert len(index._moved) == 10
    assert order(index) == [f"w{number}" for number in range(10)]
    assert not index._moved


def test_keeps_nothing_of_what_ended_whether_the_order_was_read_or_not() -> None:
    index = Index()
    for looks in (False, True):
        index.put(watched("w1", 0.0, tabs=1))
        if looks:
            order(index)
        ended = watched("w1", 0.0)
        index.put(replace(ended, activity=ended.activity.finished(Reason.LOGOUT, 1.0)))
        assert not index._groups
        assert not index._moved
        assert not index._places
        assert order(index) == []
        assert index.census() == (0, 0, 0)


def test_a_change_that_moves_nothing_leaves_the_order() -> None:
    index = Index()
    for number in range(10):
        index.put(watched(f"w{number}", float(number)))
    before = order(index)
    index.put(replace(watched("w5", 5.0), version=2))
    assert order(index) == before
    index.put(watched("w5", 50.0))
    assert order(index) == [*(each for each in before if each != "w5"), "w5"]
