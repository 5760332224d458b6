"""The way to Redis: connections for threads and for event loops, the scripts, and what is done while it is away."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import secrets
import time
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import Context
from functools import cache
from importlib.resources import files
from threading import Lock
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.retry import Retry
from redis.sentinel import Sentinel

from idlewatch import metrics
from idlewatch.exceptions import StoreUnavailable

logger = logging.getLogger("idlewatch")

LOCATION = "redis://127.0.0.1:6379/0"
PREFIX = "{idlewatch}:"
"""Its hash tag keeps all keys of a store in one slot of a cluster."""
HASH_TAG = re.compile(r"[^{]*\{[^}]+\}")
"""As Redis finds it: between the first brace and the next that closes, and not empty."""
TIMEOUT = 1.0
"""Seconds to wait for a connection, and for an answer."""
TIMEOUTS = {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT}
PAUSE = 0.5
"""Seconds for which nobody asks again after Redis did not answer."""
REMINDER = 60.0
"""Seconds after which the log says again that Redis refuses what it is asked."""
TURN = 500
"""Commands that travel together, at most."""


class Command(NamedTuple):
    """One thing to ask of Redis."""

    args: tuple[Any, ...]
    script: str | None = None
    """The script that it calls, with `args` as its keys and arguments, the number of keys first."""

    @property
    def name(self) -> str:
        """For the metrics: that of the script, or of the command."""
        return self.script or str(self.args[0]).lower()


@cache
def source_of(script: str) -> str:
    """Return the text of a script, with what all have in common."""
    folder = files("idlewatch.store.redis") / "scripts"
    return "\n".join((folder / f"{name}.lua").read_text() for name in ("common", script))


@cache
def sha_of(script: str) -> str:
    """Return the name by which Redis knows a script."""
    return hashlib.sha1(source_of(script).encode(), usedforsecurity=False).hexdigest()


class Link:
    """Asks Redis. Thread-safe; each event loop has connections of its own.

    What goes wrong on the way raises `StoreUnavailable`; for a moment after that, so does everything, at once: an
    outage must not hold up each request for the length of a timeout.
    """

    def __init__(self, location: str | None, options: Mapping[str, Any]) -> None:
        given = dict(options)
        self.prefix: str = given.pop("PREFIX", PREFIX)
        if not isinstance(self.prefix, str) or not HASH_TAG.match(self.prefix):
            raise ValueError(f"The option PREFIX is {self.prefix!r}; expected a hash tag in it, as in {PREFIX!r}.")
        self.name = secrets.token_hex(4)
        """By which it knows its own messages."""
        self._sentinels: Sequence[tuple[str, int]] = [(host, port) for host, port in given.pop("SENTINELS", ())]
        self._master: str = given.pop("MASTER", "mymaster")
        self._sentinel_options: dict[str, Any] = {**TIMEOUTS, **given.pop("SENTINEL_OPTIONS", {})}
        self._location = location or LOCATION
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
        self._guard = CircuitBreaker()
        self._sync = self._client()
        _probe(self._sync)
        _probe(self._aclient())
        self._lock = Lock()
        self._lanes: WeakKeyDictionary[asyncio.AbstractEventLoop, Pipeline] = WeakKeyDictionary()

    def call(self, command: Command) -> Any:  # noqa: ANN401 - each command has an answer of its own
        """Ask, and wait for the answer."""
        with metrics.STORE.labels(command.name).time(), self._guard.watching():
            try:
                return self._sync.execute_command(*_words(command))
            except NoScriptError:
                # Redis was restarted, or its scripts were flushed.
                self._sync.execute_command("SCRIPT", "LOAD", source_of(command.script or ""))
                return self._sync.execute_command(*_words(command))

    async def acall(self, command: Command) -> Any:  # noqa: ANN401 - each command has an answer of its own
        """Twin of `call`; what one turn of the event loop asks travels together."""
        loop = asyncio.get_running_loop()
        lane = self._lanes.get(loop)
        if lane is None:
            lane = Pipeline(self._aclient(), self._guard)
            with self._lock:
                for ended in [each for each in self._lanes if each.is_closed()]:
                    del self._lanes[ended]
                self._lanes[loop] = lane
            await lane.begin()
        with metrics.STORE.labels(command.name).time():
            return await lane.ask(command)

    def all_keys(self) -> Iterator[bytes]:
        """Find every key of this store."""
        pattern = "".join(f"\\{letter}" if letter in "*?[]\\" else letter for letter in self.prefix)
        with self._guard.watching():
            yield from self._sync.scan_iter(f"{pattern}*", count=1000)

    def listener(self) -> redis.client.PubSub:
        """Return a subscriber with a connection of its own."""
        listener: redis.client.PubSub = self._sync.pubsub(ignore_subscribe_messages=True)
        return listener

    def close(self) -> None:
        """Let go of the connections."""
        self._sync.close()
        for each in _sentinels_of(self._sync):
            each.close()
        for loop, lane in list(self._lanes.items()):
            if loop.is_running():
                asyncio.run_coroutine_threadsafe(lane.close(), loop)
            elif not loop.is_closed():
                loop.run_until_complete(lane.close())
        self._lanes.clear()

    async def aclose(self) -> None:
        """Let go of the connections of the running event loop."""
        with self._lock:
            lane = self._lanes.pop(asyncio.get_running_loop(), None)
        if lane is not None:
            await lane.close()

    def _client(self) -> redis.Redis:
        # One try on a new connection: that to a server which was restarted is dead, and looks alive.
        retry = Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
        options = {**self._options, "retry": retry}
        if self._sentinels:
            to_sentinels = {"retry": retry, **self._sentinel_options}
            sentinel = Sentinel(self._sentinels, sentinel_kwargs=to_sentinels, **options)
            found: redis.Redis = sentinel.master_for(self._master)
            return found
        with _reading_location():
            return redis.Redis.from_url(self._location, **options)

    def _aclient(self) -> redis.asyncio.Redis:
        retry = AsyncRetry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
        options = {**self._options, "retry": retry}
        if self._sentinels:
            to_sentinels = {"retry": retry, **self._sentinel_options}
            sentinel = AsyncSentinel(self._sentinels, sentinel_kwargs=to_sentinels, **options)
            found: redis.asyncio.Redis = sentinel.master_for(self._master)
            return found
        with _reading_location():
            return redis.asyncio.Redis.from_url(self._location, **options)


class CircuitBreaker:
    """Knows whether Redis answers, and has one caller at a time find out whether it does again."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._next_try: float | None = None
        """Monotonic seconds; None while Redis answers."""
        self._refusal_told = float("-inf")

    @contextmanager
    def watching(self) -> Iterator[None]:
        self._admit()
        try:
            yield
        except ResponseError as error:
            self._succeeded()
            # Its text may hold what was sent.
            raise self.refused(error) from None
        except (RedisError, OSError) as error:
            raise self.failed(error) from error
        self._succeeded()

    def _admit(self) -> None:
        if self._next_try is None:
            return
        with self._lock:
            now = time.monotonic()
            if self._next_try is not None and now < self._next_try:
                raise StoreUnavailable("Redis did not answer a moment ago.")
            # This caller finds out; the others need not wait for it.
            self._next_try = now + TIMEOUT + PAUSE

    def _succeeded(self) -> None:
        if self._next_try is None:
            return
        with self._lock:
            self._next_try = None
        logger.warning("Redis answers again.")

    def failed(self, error: BaseException) -> StoreUnavailable:
        """Note that Redis did not answer."""
        metrics.STORE_ERRORS.inc()
        with self._lock:
            was_down = self._next_try is not None
            self._next_try = time.monotonic() + PAUSE
        if not was_down:
            logger.error("Redis does not answer: %s.", type(error).__name__)
        return StoreUnavailable(f"Redis does not answer: {type(error).__name__}.")

    def refused(self, error: ResponseError) -> StoreUnavailable:
        """Note that Redis answered by an error: that costs nobody the wait of an outage, so the next may ask."""
        metrics.STORE_ERRORS.inc()
        now = time.monotonic()
        with self._lock:
            is_told = now < self._refusal_told + REMINDER
            if not is_told:
                self._refusal_told = now
        # The text of an error may hold what was sent: its kind alone is told.
        if not is_told:
            logger.error("Redis refuses what it is asked: %s.", _kind(error))
        return StoreUnavailable(f"Redis refuses what it is asked: {_kind(error)}.")


class Pipeline:
    """What one event loop asks: the commands of one turn, and those that came meanwhile, travel in one pipeline.

    One pipeline is under way at a time, so that nothing overtakes what was asked before it.
    """

    def __init__(self, client: redis.asyncio.Redis, guard: CircuitBreaker) -> None:
        self._client = client
        self._guard = guard
        self._waiting: list[tuple[Command, asyncio.Future[Any]]] = []
        self._task: asyncio.Task[None] | None = None
        self._end: AsyncGenerator[None] | None = None

    async def begin(self) -> None:
        """Have the event loop close the connections where it ends without a word, as that of `async_to_sync` does."""
        self._end = self._closed_at_last()
        await anext(self._end)

    async def _closed_at_last(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await self._disconnect()

    async def ask(self, command: Command) -> Any:  # noqa: ANN401 - each command has an answer of its own
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        self._waiting.append((command, answer))
        if self._task is None:
            # A context of its own: that of one caller must not live on in the work for all.
            self._task = loop.create_task(self._send(), context=Context())
        return await answer

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self._end is not None:
            await self._end.aclose()

    async def _disconnect(self) -> None:
        await self._client.aclose(close_connection_pool=True)
        for each in _sentinels_of(self._client):
            await each.aclose(close_connection_pool=True)

    async def _send(self) -> None:
        try:
            while self._waiting:
                turn, self._waiting = self._waiting[:TURN], self._waiting[TURN:]
                await self._send_turn(turn)
        finally:
            self._task = None
            for _, answer in self._waiting:
                answer.cancel()
            self._waiting = []

    async def _send_turn(self, turn: list[tuple[Command, asyncio.Future[Any]]]) -> None:
        try:
            with self._guard.watching():
                answers = await self._execute([command for command, _ in turn])
        except StoreUnavailable as error:
            answers = [error] * len(turn)
        except Exception as error:
            # Whatever it is, who waits must not be taken for cancelled.
            logger.exception("Redis could not be asked.")
            answers = [StoreUnavailable(f"Redis could not be asked: {type(error).__name__}.")] * len(turn)
        except BaseException:
            for _, answer in turn:
                answer.cancel()
            raise
        for (_, waiting), answer in zip(turn, answers, strict=True):
            if waiting.done():
                continue
            if isinstance(answer, StoreUnavailable):
                waiting.set_exception(answer)
            elif isinstance(answer, ResponseError):
                waiting.set_exception(self._guard.refused(answer))
            elif isinstance(answer, RedisError):
                waiting.set_exception(self._guard.failed(answer))
            else:
                waiting.set_result(answer)

    async def _execute(self, commands: Sequence[Command]) -> list[Any]:
        answers = await self._pipe(commands)
        unknown = [index for index, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:
            missing = dict.fromkeys(commands[index].script or "" for index in unknown)
            await self._pipe([Command(("SCRIPT", "LOAD", source_of(script))) for script in missing])
            again = await self._pipe([commands[index] for index in unknown])
            for index, answer in zip(unknown, again, strict=True):
                answers[index] = answer
        return answers

    async def _pipe(self, commands: Sequence[Command]) -> list[Any]:
        async with self._client.pipeline(transaction=False) as pipe:
            for command in commands:
                pipe.execute_command(*_words(command))
            return list(await pipe.execute(raise_on_error=False))


def _probe(client: redis.Redis | redis.asyncio.Redis) -> None:
    """Make a connection without connecting it: an option that there is not is to fail here, not in each request."""
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


def _kind(error: ResponseError) -> str:
    """Return what names an error of Redis: its first word, as in `READONLY`, where that is a code."""
    word = str(error).partition(" ")[0]
    return word if word.isalpha() and word.isupper() else type(error).__name__


def _words(command: Command) -> tuple[Any, ...]:
    if command.script is None:
        return command.args
    return ("EVALSHA", sha_of(command.script), *command.args)
