"""The connections to Redis: by a URL or through Sentinel, for threads and for event loops."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.retry import Retry
from redis.sentinel import Sentinel

from idlewatch.store.redis.breaker import STORE_TIMEOUT

DEFAULT_LOCATION = "redis://127.0.0.1:6379/0"
DEFAULT_PREFIX = "{idlewatch}:"
"""Its hash tag keeps all keys of a store in one slot of a cluster."""
HASH_TAG = re.compile(r"[^{]*\{[^}]+\}")
"""As Redis finds it: between the first brace and the next that closes, and not empty."""
TIMEOUTS = {"socket_timeout": STORE_TIMEOUT, "socket_connect_timeout": STORE_TIMEOUT}


class ConnectionOptions:
    """What `LOCATION` and `OPTIONS` say, and the clients that they make.

    Raises:
        ValueError: an option does not fit; the text never has the location, which may hold a password.
    """

    def __init__(self, location: str | None, options: Mapping[str, Any]) -> None:
        given = dict(options)
        self.prefix: str = given.pop("PREFIX", DEFAULT_PREFIX)
        if not isinstance(self.prefix, str) or not HASH_TAG.match(self.prefix):
            raise ValueError(
                f"The option PREFIX is {self.prefix!r}; expected a hash tag in it, as in {DEFAULT_PREFIX!r}."
            )
        self._sentinels: Sequence[tuple[str, int]] = [(host, port) for host, port in given.pop("SENTINELS", ())]
        self._master: str = given.pop("MASTER", "mymaster")
        self._sentinel_options: dict[str, Any] = {**TIMEOUTS, **given.pop("SENTINEL_OPTIONS", {})}
        self._location = location or DEFAULT_LOCATION
        self._options: dict[str, Any] = {
            **TIMEOUTS,
            # A UNIX socket has no such option, and its connection refuses it.
            **({} if self._location.startswith("unix:") else {"socket_keepalive": True}),
            "health_check_interval": 30,
            "client_name": "idlewatch",
            **given,
        }
        if self._options.get("decode_responses"):
            raise ValueError("The option decode_responses is on; expected it off: a row is bytes.")

    def make_client(self) -> redis.Redis:
        """Return a client for threads."""
        # One retry on a new connection: one to a server that was restarted is dead, and looks alive.
        retry = Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
        options = {**self._options, "retry": retry}
        made: redis.Redis
        if self._sentinels:
            sentinel_options = {"retry": retry, **self._sentinel_options}
            sentinel = Sentinel(self._sentinels, sentinel_kwargs=sentinel_options, **options)
            made = sentinel.master_for(self._master)
        else:
            with _reading_location():
                made = redis.Redis.from_url(self._location, **options)
        return made

    def make_async_client(self) -> redis.asyncio.Redis:
        """Return a client for one event loop."""
        retry = AsyncRetry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
        options = {**self._options, "retry": retry}
        made: redis.asyncio.Redis
        if self._sentinels:
            sentinel_options = {"retry": retry, **self._sentinel_options}
            sentinel = AsyncSentinel(self._sentinels, sentinel_kwargs=sentinel_options, **options)
            made = sentinel.master_for(self._master)
        else:
            with _reading_location():
                made = redis.asyncio.Redis.from_url(self._location, **options)
        return made


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


def close_client(client: redis.Redis) -> None:
    """Close the connections of a client, those to its Sentinels too."""
    client.close()
    for sentinel in _sentinels_of(client):
        sentinel.close()


async def close_async_client(client: redis.asyncio.Redis) -> None:
    """Async version of `close_client`."""
    await client.aclose(close_connection_pool=True)
    for sentinel in _sentinels_of(client):
        await sentinel.aclose(close_connection_pool=True)


def probe(client: redis.Redis | redis.asyncio.Redis) -> None:
    """Make a connection without connecting it: an unknown option is to fail here, not in each request.

    Raises:
        ValueError: an option is unknown.
    """
    pool = client.connection_pool
    try:
        pool.connection_class(**pool.connection_kwargs)
    except TypeError as error:
        raise ValueError(f"The options of the Redis store don't fit its connections: {error}.") from None


@contextmanager
def _reading_location() -> Iterator[None]:
    try:
        yield
    except ValueError:
        # The text of this error may hold a part of the password.
        raise ValueError("LOCATION is no URL of a Redis; expected redis://user:password@host:6379/0.") from None


def _sentinels_of(client: Any) -> Sequence[Any]:  # noqa: ANN401 - of either kind
    manager = getattr(client.connection_pool, "sentinel_manager", None)
    return manager.sentinels if manager is not None else ()
