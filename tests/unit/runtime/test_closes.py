"""The closes of sockets whose sessions ended."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from idlewatch.process import current_process
from idlewatch.runtime.closes import AT_ONCE, MAX_DELAY, SPACING, Closes
from tests.support.clocks import TestClock


@pytest.fixture
async def clock() -> TestClock:
    clock = current_process().clock
    assert isinstance(clock, TestClock)
    clock.take_over()
    return clock


@pytest.fixture
def closes(clock: TestClock) -> Closes:
    return Closes(current_process())


def add(closes: Closes, count: int) -> list[int]:
    done: list[int] = []

    async def close(number: int) -> None:
        done.append(number)

    for number in range(count):
        closes.add(partial(close, number))
    return done


async def test_a_few_are_closed_at_once_and_the_next_ones_a_moment_later(closes: Closes, clock: TestClock):
    done = add(closes, 2 * AT_ONCE + 1)
    assert done == []
    await clock.advance(0.0)
    assert done == list(range(AT_ONCE))
    await clock.advance(SPACING)
    assert done == list(range(2 * AT_ONCE))
    await clock.advance(SPACING)
    assert done == list(range(2 * AT_ONCE + 1))


async def test_one_that_comes_alone_waits_for_nothing(closes: Closes, clock: TestClock):
    for _ in range(3):
        done = add(closes, 1)
        await clock.advance(0.0)
        assert done == [0]


async def test_none_stays_open_for_long_however_many_there_are(closes: Closes, clock: TestClock):
    done = add(closes, 5000)
    await clock.advance(0.0)
    assert len(done) == AT_ONCE
    await clock.advance(MAX_DELAY + SPACING)
    assert len(done) == 5000


async def test_one_that_waits_for_its_client_delays_no_other(closes: Closes, clock: TestClock):
    async def wait() -> None:
        await asyncio.Event().wait()

    closes.add(wait)
    done = add(closes, 2)
    await clock.advance(0.0)
    assert done == [0, 1]
