"""The pipeline of one event loop: the commands of one turn travel to Redis together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextvars import Context
from typing import Any

import redis.asyncio
from redis.exceptions import NoScriptError, RedisError, ResponseError

from idlewatch.exceptions import StoreUnavailable
from idlewatch.store.redis.breaker import CircuitBreaker
from idlewatch.store.redis.commands import Command, source_of
from idlewatch.store.redis.connection import KeptConnection
from idlewatch.store.redis.options import close_async_client

logger = logging.getLogger("idlewatch")

MAX_COMMANDS = 500
"""Commands that travel together, at most."""

Waiting = list[tuple[Command, "asyncio.Future[Any]"]]


class Pipeline:
    """Sends the commands of one turn of an event loop, and those that come meanwhile, in one pipeline.

    One pipeline is under way at a time, so that no command overtakes one that was asked before it.
    """

    def __init__(self, client: redis.asyncio.Redis, breaker: CircuitBreaker) -> None:
        self._client = client
        self._connection = KeptConnection(client)
        self._breaker = breaker
        self._waiting: Waiting = []
        self._task: asyncio.Task[None] | None = None
        self._end: AsyncGenerator[None] | None = None

    async def begin(self) -> None:
        """Have the loop close the connections when it shuts down its generators, as `async_to_sync` does at its end."""
        self._end = self._closed_at_last()
        await anext(self._end)

    async def execute(self, command: Command) -> Any:  # noqa: ANN401 - each command has an answer of its own
        """Send a command, and return its answer.

        Raises:
            StoreUnavailable: there is none, or it is an error.
        """
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        self._waiting.append((command, answer))
        if self._task is None:
            # A context of its own: that of one caller must not live on in the work for all.
            self._task = loop.create_task(self._send(), context=Context())
        return await answer

    async def close(self) -> None:
        """Cancel what is under way, and close the connections."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            # Where the task had not begun, its callers still wait.
            self._cancel_waiting()
        if self._end is not None:
            await self._end.aclose()

    async def _closed_at_last(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await close_async_client(self._client)

    async def _send(self) -> None:
        try:
            while self._waiting:
                turn, self._waiting = self._waiting[:MAX_COMMANDS], self._waiting[MAX_COMMANDS:]
                await self._send_turn(turn)
        finally:
            self._task = None
            self._cancel_waiting()

    def _cancel_waiting(self) -> None:
        for _, answer in self._waiting:
            answer.cancel()
        self._waiting = []

    async def _send_turn(self, turn: Waiting) -> None:
        try:
            with self._breaker:
                answers = await self._execute([command for command, _ in turn])
        except StoreUnavailable as error:
            answers = [error] * len(turn)
        except Exception as error:
            # Whatever it is, the callers must not be taken for cancelled.
            logger.exception("A pipeline to Redis failed.")
            answers = [StoreUnavailable(f"A pipeline to Redis failed: {type(error).__name__}.")] * len(turn)
        except BaseException:
            for _, answer in turn:
                answer.cancel()
            raise
        for (_, waiting), answer in zip(turn, answers, strict=True):
            if not waiting.done():
                self._resolve(waiting, answer)

    def _resolve(self, waiting: asyncio.Future[Any], answer: object) -> None:
        if isinstance(answer, StoreUnavailable):
            waiting.set_exception(answer)
        elif isinstance(answer, ResponseError):
            waiting.set_exception(self._breaker.refused(answer))
        elif isinstance(answer, RedisError):
            waiting.set_exception(self._breaker.failed(answer))
        else:
            waiting.set_result(answer)

    async def _execute(self, commands: Sequence[Command]) -> list[Any]:
        words = [command.words() for command in commands]
        answers = await self._connection.execute_all(words)
        unknown = [index for index, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:
            # Redis was restarted, or its scripts were flushed.
            names = sorted({commands[index].name for index in unknown})
            loads = [("SCRIPT", "LOAD", source_of(name)) for name in names]
            again = await self._connection.execute_all([*loads, *(words[index] for index in unknown)])
            for index, answer in zip(unknown, again[len(loads) :], strict=True):
                answers[index] = answer
        return answers
