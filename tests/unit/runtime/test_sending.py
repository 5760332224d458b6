from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from idlewatch.exceptions import LayerUnavailable
from idlewatch.runtime.sending import Sending


class Sent:
    """A publisher that sends when it is told to."""

    def __init__(self) -> None:
        self.begun: list[object] = []
        self.ended: list[object] = []
        self.gates: dict[object, asyncio.Event] = {}
        self.failing: set[object] = set()

    async def send(self, settled: Sequence[Any], now: float) -> None:
        (batch,) = settled
        self.begun.append(batch)
        if batch in self.gates:
            await self.gates[batch].wait()
        self.ended.append(batch)
        if batch in self.failing:
            raise LayerUnavailable(batch)


@pytest.fixture
def sent() -> Sent:
    return Sent()


async def test_a_batch_is_sent_while_the_caller_goes_on_and_the_next_one_after_it(sent: Sent):
    sent.gates = {"first": asyncio.Event(), "second": asyncio.Event()}
    async with Sending(sent) as sending:  # type: ignore[arg-type]
        await sending.begin(["first"], 0.0)  # type: ignore[list-item]
        following = asyncio.ensure_future(sending.begin(["second"], 0.0))  # type: ignore[list-item]
        await asyncio.sleep(0.01)
        assert (sent.begun, following.done()) == (["first"], False)
        sent.gates["first"].set()
        await following
        last = asyncio.ensure_future(sending.send(["last"], 0.0))  # type: ignore[list-item]
        await asyncio.sleep(0.01)
        assert (sent.begun, sent.ended) == (["first", "second"], ["first"])
        sent.gates["second"].set()
        await last
    assert sent.ended == ["first", "second", "last"]


async def test_what_was_settled_is_sent_though_the_batch_before_failed_and_that_is_raised_at_the_end(sent: Sent):
    sent.failing = {"first"}

    async def work() -> None:
        async with Sending(sent) as sending:  # type: ignore[arg-type]
            await sending.begin(["first"], 0.0)  # type: ignore[list-item]
            assert not sending.has_failed
            await sending.begin(["second"], 0.0)  # type: ignore[list-item]
            assert sending.has_failed

    with pytest.raises(LayerUnavailable, match="first"):
        await work()
    assert sent.ended == ["first", "second"]


async def test_an_error_of_the_caller_is_raised_once_everything_is_sent(sent: Sent):
    sent.failing = {"first"}

    async def work() -> None:
        async with Sending(sent) as sending:  # type: ignore[arg-type]
            await sending.begin(["first"], 0.0)  # type: ignore[list-item]
            raise KeyError

    with pytest.raises(KeyError):
        await work()
    assert sent.ended == ["first"]


@pytest.mark.parametrize("waits", [False, True])
async def test_a_caller_that_is_cancelled_leaves_nothing_behind(sent: Sent, waits: bool):
    sent.gates = {"first": asyncio.Event()}

    async def work() -> None:
        async with Sending(sent) as sending:  # type: ignore[arg-type]
            await sending.begin(["first"], 0.0)  # type: ignore[list-item]
            if waits:
                await sending.begin(["second"], 0.0)  # type: ignore[list-item]
            await asyncio.Event().wait()

    working = asyncio.ensure_future(work())
    await asyncio.sleep(0.01)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert (sent.begun, sent.ended) == (["first"], [])
    assert len(asyncio.all_tasks()) == 1
