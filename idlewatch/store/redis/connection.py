"""The connections to Redis that are kept between commands, for threads and for event loops."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import redis
import redis.asyncio
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError


class KeptConnections:
    """Connections of a client for threads that are kept between commands. Thread-safe.

    For each command redis-py takes one out of its pool, looks whether it has data, and counts it: that takes as long as
    Redis does to answer. A command that finds its connection closed goes through the client, and so over a new one.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._pool: Any = client.connection_pool
        self._free: list[Any] = []
        """To append and to pop is atomic."""

    def execute(self, *command: Any) -> Any:  # noqa: ANN401 - as redis-py has it
        """Run a command; return its answer as Redis gave it."""
        connection = self._take()
        try:
            connection.send_packed_command(connection.pack_command(*command))
            answer = connection.read_response()
        except ResponseError:
            self._free.append(connection)
            raise
        except BaseException as error:
            # Its answer may still come.
            connection.disconnect()
            self._pool.release(connection)
            if isinstance(error, RedisConnectionError):
                return self._client.execute_command(*command)
            raise
        self._free.append(connection)
        return answer

    def give_back(self) -> None:
        """Give the connections that no command uses back to the pool: it may allow no more."""
        with suppress(IndexError):
            while True:
                self._pool.release(self._free.pop())

    def _take(self) -> Any:  # noqa: ANN401 - redis-py has several kinds
        while True:
            try:
                connection = self._free.pop()
            except IndexError:
                return self._pool.get_connection()
            # A fork has its parent's, and Sentinel may have reported a failover.
            if connection.pid == os.getpid() and self._pool.owns_connection(connection):
                return connection
            self._pool.release(connection)


class KeptConnection:
    """The connection of a client for one event loop, which is kept between commands: as `KeptConnections`."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._pool: Any = client.connection_pool
        self._connection: Any = None

    async def execute_all(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """Run commands together; return the answer of each as Redis gave it, or its error."""
        try:
            return await self._execute_all(commands)
        except RedisConnectionError:
            # A connection to a server that was restarted is dead, and looks alive.
            return await self._execute_all(commands)

    async def _execute_all(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        if self._connection is None:
            self._connection = await self._pool.get_connection()
        connection, answers = self._connection, []
        try:
            await connection.send_packed_command(connection.pack_commands(commands))
            for _ in commands:
                try:
                    answers.append(await connection.read_response())
                except ResponseError as error:
                    answers.append(error)
        except BaseException:
            # Answers may still come.
            self._connection = None
            await connection.disconnect(nowait=True)
            await self._pool.release(connection)
            raise
        return answers
