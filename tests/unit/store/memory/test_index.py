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


class Sessions:
    """Live sessions, and their index."""

    def __init__(self) -> None:
        self.live: dict[str, Watched] = {}
        self.index = Index(self.live.values)

    def put(self, watched: Watched) -> None:
        former = self.live.pop(watched.id, None)
        if watched.activity.ended is None:
            self.live[watched.id] = watched
        self.index.put(watched, former)

    def order(self) -> list[str]:
        total, watches = self.index.page(None, None, 0, 10_000, reverse=False)
        assert total == len(watches)
        return list(watches)


def test_is_exact_after_few_moves_and_after_many() -> None:
    draw, sessions = random.Random(7), Sessions()
    for count in (400, 3, 40, 1, 390, 0, 60):
        for watch_id in draw.sample([f"w{number:03}" for number in range(400)], count):
            each = watched(
                watch_id, float(draw.randrange(90)), tabs=draw.randrange(2), shown=draw.choice([UNWARNED, WARNED])
            )
            if draw.random() < 0.1:
                each = replace(each, activity=each.activity.finished(Reason.LOGOUT, 100.0))
            sessions.put(each)
        live = sessions.live.values()
        ranked = sorted(live, key=lambda each: (each.shown == UNWARNED, each.activity.active, each.id))
        expected = [each.id for each in ranked]
        assert sessions.order() == expected
        for offset in (0, 1, 7, 100, 333, 399):
            for reverse, ids in ((False, expected), (True, expected[::-1])):
                assert sessions.index.page(None, None, offset, 20, reverse=reverse)[1] == ids[offset : offset + 20]
        warned = sum(each.shown == WARNED for each in live)
        connected = sum(bool(each.activity.tabs) for each in live)
        assert sessions.index.census() == (len(live) - warned, warned, connected)


def test_keeps_nothing_for_the_order_until_it_is_read_and_nothing_once_most_have_moved() -> None:
    sessions = Sessions()
    index = sessions.index
    for _ in range(2):
        for number in range(100):
            sessions.put(watched(f"w{number}", float(number)))
        assert not index._moved
        assert not index._places
        assert not any(index._lists.values())
        sessions.order()
        for moment in range(1000):
            sessions.put(watched(f"w{moment % 10}", float(moment)))
        assert len(index._moved or ()) == 10
        assert len(index._places) == 100


def test_keeps_nothing_of_what_ended_whether_the_order_was_read_or_not() -> None:
    sessions = Sessions()
    for looks in (False, True):
        sessions.put(watched("w1", 0.0, tabs=1))
        if looks:
            sessions.order()
        ended = watched("w1", 0.0)
        sessions.put(replace(ended, activity=ended.activity.finished(Reason.LOGOUT, 1.0)))
        assert not sessions.index._moved
        assert not sessions.index._places
        assert sessions.order() == []
        assert sessions.index.census() == (0, 0, 0)


def test_a_change_that_moves_nothing_leaves_the_order() -> None:
    sessions = Sessions()
    for number in range(10):
        sessions.put(watched(f"w{number}", float(number)))
    before = sessions.order()
    sessions.put(replace(watched("w5", 5.0), version=2))
    assert sessions.order() == before
    sessions.put(watched("w5", 50.0))
    assert sessions.order() == [*(each for each in before if each != "w5"), "w5"]
