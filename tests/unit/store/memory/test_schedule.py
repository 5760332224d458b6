from __future__ import annotations

from random import Random

from idlewatch.store.memory.schedule import Schedule
from idlewatch.store.values import Due


def popped(schedule: Schedule, now: float) -> list[tuple[float, str]]:
    return [(moment.at, moment.watch_id) for moment in schedule.pop_until(Due.PUSH, now)]


def test_moments_come_in_their_order_however_they_were_added():
    random, schedule, expected, now = Random(1), Schedule(), list[tuple[float, str]](), 0.0
    for number in range(3000):
        # Of the present second, of those before and of later ones.
        moment = now + random.choice((-3.0, 0.0, 0.0, 1.0, 5.0)) + random.random(), f"w{number}"
        schedule.push(Due.PUSH, *moment)
        expected.append(moment)
        if random.random() < 0.1:
            now += random.choice((0.01, 0.3, 2.0))
            assert schedule.next_at(Due.PUSH) == min(expected)[0]
            assert popped(schedule, now) == sorted(each for each in expected if each[0] <= now)
            expected = [each for each in expected if each[0] > now]
            assert len(schedule) == len(expected)
    assert popped(schedule, now + 60.0) == sorted(expected)
    assert schedule.next_at(Due.PUSH) is None


def test_what_is_not_taken_stays():
    schedule = Schedule()
    for number in range(10):
        schedule.push(Due.PUSH, 5.0 + number / 10, f"w{number}")
    moments = schedule.pop_until(Due.PUSH, 10.0)
    assert [next(moments).watch_id for _ in range(4)] == ["w0", "w1", "w2", "w3"]
    schedule.push(Due.PUSH, 5.0, "w10")
    assert [watch_id for _, watch_id in popped(schedule, 5.55)] == ["w10", "w4", "w5"]


def test_leases_wake_those_who_sleep_longer_and_lapse_together():
    schedule, woken = Schedule(), list[str]()
    schedule.add_listener(Due.PUSH, lambda: woken.append("push"))
    assert schedule.next_at(Due.PUSH) is None
    schedule.lease(Due.PUSH, 20.0, ["w1", "w2"])
    schedule.lease(Due.PUSH, 15.0, ["w3"])
    assert woken == ["push", "push"]
    assert schedule.next_at(Due.PUSH) == 15.0
    assert list(schedule.pop_lapsed(Due.PUSH, 14.9)) == []
    assert list(schedule.pop_lapsed(Due.PUSH, 20.0)) == ["w3", "w1", "w2"]
    assert schedule.next_at(Due.PUSH) is None
