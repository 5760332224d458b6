"""One pipeline, for what a real Redis answers only in bad moments."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from unittest import mock

import pytest
import redis.asyncio
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from idlewatch.exceptions import StoreUnavailable
from idlewatch.store.redis.breaker import CircuitBreaker
from idlewatch.store.redis.commands import Command
from idlewatch.store.redis.pipeline import Pipeline

PING = Command("PING", [], [])


def answering(answer: Callable[[Sequence[Command]], Awaitable[list[Any]]]) -> Pipeline:
    pipeline = Pipeline(mock.Mock(spec=redis.asyncio.Redis, connection_pool=None), CircuitBreaker(lambda: 0.0))
    pipeline._execute = answer  # type: ignore[method-assign]
    return pipeline


async def test_each_caller_of_a_turn_gets_its_own_answer_or_error():
    async def answer(commands: Sequence[Command]) -> list[Any]:
        return [b"PONG", ResponseError("READONLY what was sent"), RedisConnectionError("what was sent")]

    pipeline = answering(answer)
    found = await asyncio.gather(*(pipeline.execute(PING) for _ in range(3)), return_exceptions=True)
    assert [str(each) for each in found] == [
        "b'PONG'",
        "Redis rejected a command: READONLY.",
        "Redis does not answer: ConnectionError.",
    ]
    assert [type(each) for each in found[1:]] == [StoreUnavailable] * 2


async def test_an_error_that_is_not_expected_is_logged_and_cancels_no_caller(caplog: pytest.LogCaptureFixture):
    pipeline = answering(mock.AsyncMock(side_effect=KeyError("what was sent")))
    with pytest.raises(StoreUnavailable, match=r"A pipeline to Redis failed: KeyError\."):
        await pipeline.execute(PING)
    assert caplog.messages == ["A pipeline to Redis failed."]


async def test_closing_it_cancels_those_who_wait_for_an_answer_and_for_their_turn():
    begun = asyncio.Event()

    async def hang(commands: Sequence[Command]) -> list[Any]:
        begun.set()
        await asyncio.Event().wait()
        return []

    pipeline = answering(hang)
    under_way = asyncio.ensure_future(pipeline.execute(PING))
    await begun.wait()
    waiting = asyncio.ensure_future(pipeline.execute(PING))
    await asyncio.sleep(0)
    await pipeline.close()
    found = await asyncio.gather(under_way, waiting, return_exceptions=True)
    assert [type(each) for each in found] == [asyncio.CancelledError] * 2


async def test_closing_it_before_it_has_begun_does_so_too():
    pipeline = answering(mock.AsyncMock(return_value=[b"PONG"]))
    waiting = asyncio.ensure_future(pipeline.execute(PING))
    # The caller has asked, and the task that is to send it has not had its turn.
    await asyncio.sleep(0)
    await pipeline.close()
    done, _ = await asyncio.wait({waiting}, timeout=1.0)
    assert [each.cancelled() for each in done] == [True]
