"""The clients of redis-py, by a URL or through Sentinel, for threads and for event loops."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
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
