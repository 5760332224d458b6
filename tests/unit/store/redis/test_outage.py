"""Redis is flushed, restarted, away, or refuses: what the callers of the store see of it."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from inspect import isawaitable
from pathlib import Path
from typing import Any

import pytest

from idlewatch.core.activity import Reason
from idlewatch.core.events import Acted, Extended, Held, Requested, TabOpened
from idlewatch.exceptions import StoreUnavailable
from idlewatch.store.redis import RedisStore
from idlewatch.store.redis.breaker import STORE_TIMEOUT
from idlewatch.store.redis.commands import Command
from idlewatch.store.values import Due
from tests.support.redis_server import RedisServer
from tests.support.serving import free_port
from tests.unit.store.redis.conftest import MakeStore
from tests.unit.store.redis.sessions import LEASE, NOW, live_through, recovered, running, session

KEY = "0123456789abcdefghijklmnopqrstuv"
PASSWORD = "correct-horse-battery"
SESSION = session(key=KEY)
pytestmark = pytest.mark.server
TIMEOUT = 0.7
TIMEOUTS = {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT}

CALLS: dict[str, Callable[[RedisStore], Any]] = {
    "get": lambda store: store.sessions.get("w1"),
    "open": lambda store: store.sessions.open(SESSION, NOW),
    "restart": lambda store: store.sessions.restart(SESSION, NOW),
    "touch": lambda store: store.sessions.apply("w1", Acted(), NOW + 1),
    "extend": lambda store: store.sessions.apply("w1", Extended(), NOW + 1),
    "bind": lambda store: store.sessions.bind("w1", KEY),
    "end": lambda store: store.sessions.end("w1", Reason.LOGOUT, NOW),
    "clear": lambda store: store.clear(),
    "aget": lambda store: store.sessions.aget("w1"),
    "aopen": lambda store: store.sessions.aopen(SESSION, NOW),
    "atouch": lambda store: store.sessions.aapply("w1", Requested(), NOW + 1),
    "ahold": lambda store: store.sessions.aapply("w1", Held("upload"), NOW + 1),
    "aend": lambda store: store.sessions.aend("w1", Reason.LOGOUT, NOW),
    "claim": lambda store: store.queue.claim(Due.PUSH, NOW, 10, LEASE),
    "settle": lambda store: store.queue.settle([SESSION], NOW),
    "confirm": lambda store: store.queue.confirm(Due.PUSH, [SESSION], NOW),
    "next_due": lambda store: store.queue.next_due(Due.PUSH),
    "renew": lambda store: store.presence.renew("p1", NOW, LEASE),
    "reap": lambda store: store.presence.reap(NOW),
    "sample": lambda store: store.statistics.take_sample(NOW, 15.0, 3600.0),
    "ping": lambda store: store.ping(),
}
USER = ("--user", "site", "on", "~*", "&*", "+@all", f">{PASSWORD}")
WRITERS = ("clear", "restart", "touch", "extend", "bind", "end", "atouch", "ahold", "aend", "renew", "ping")


async def ask(store: RedisStore, name: str) -> None:
    answer = CALLS[name](store)
    if isawaitable(answer):
        await answer


async def fails(store: RedisStore, names: Iterable[str] = CALLS, match: str | None = None) -> list[StoreUnavailable]:
    """Have operations fail, by default all, and return how they did."""
    errors = []
    for name in names:
        with pytest.raises(StoreUnavailable, match=match) as caught:
            await ask(store, name)
        errors.append(caught.value)
    return errors


@contextmanager
def black_hole() -> Iterator[int]:
    """Listen, and never say a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


class TestFlushedScripts:
    async def test_are_loaded_again_without_an_error(
        self, make: MakeStore, server: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = make(server.url)
        flushed: list[object] = []
        with server.client() as client:

            def flushing(ask: Callable[[Command], Any], command: Command) -> Any:
                flushed.append(client.script_flush())
                return ask(command)

            for name in ("call", "acall"):
                monkeypatch.setattr(store._client, name, partial(flushing, getattr(store._client, name)))
            await live_through(store)
        assert len(flushed) > 20

    async def test_in_one_turn_apply_nothing_twice(self, make: MakeStore, server: RedisServer) -> None:
        store = make(server.url)
        for index in range(20):
            store.sessions.open(session(f"w{index}"), NOW)
        with server.client() as client:
            client.script_flush()
        touched, _, extended, claimed = await asyncio.gather(
            store.sessions.aapply("w0", Requested(), NOW + 1),
            asyncio.gather(*(store.sessions.aapply("w1", TabOpened("p1", 50), NOW + 1) for _ in range(20))),
            asyncio.gather(*(store.sessions.aapply(f"w{index}", Extended(), NOW + 1) for index in range(2, 20))),
            store.queue.claim(Due.CHECK, NOW + 60, 100, LEASE),
        )
        assert touched is not None
        assert touched.activity.active == NOW + 1
        assert touched.version > int(NOW * 1000)
        assert [each and each.activity.extensions for each in extended] == [1] * 18
        assert len(claimed) == 20
        first, second = await store.sessions.aget_many(["w0", "w1"])
        assert first == touched
        assert second is not None
        assert second.activity.tabs == {"p1": 20}


class TestAServerThatWentAway:
    async def test_fails_every_call_at_once_and_is_found_again(
        self, make: MakeStore, server: RedisServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        store, noted = make(server.url), []
        store.on_outage(lambda: noted.append("away"))
        await live_through(store)
        assert noted == []
        server.stop()
        began = time.monotonic()
        await fails(store, ["claim", "get"])
        assert noted == ["away"], "the circuit was open: Redis was not asked"
        await fails(store)
        assert time.monotonic() - began < STORE_TIMEOUT
        assert [record.levelno for record in caplog.records].count(logging.ERROR) == 1
        server.start()
        await recovered(store)
        await live_through(store)
        assert caplog.records[-1].getMessage() == "Redis is reachable again."

    async def test_and_came_back_between_two_calls_was_never_missed(self, make: MakeStore, server: RedisServer) -> None:
        store = make(server.url)
        store.sessions.open(session(), NOW)
        await store.sessions.aget("w1")
        server.stop()
        server.start()
        assert store.sessions.get("w1") is None
        assert await store.sessions.aapply("w1", Requested(), NOW + 1) is None
        assert await store.queue.next_due(Due.PUSH) is None
        await live_through(store)


class TestABlackHole:
    @pytest.mark.parametrize("name", ["get", "ping"])
    async def test_holds_the_first_caller_for_one_timeout_and_no_other_after(self, make: MakeStore, name: str) -> None:
        with black_hole() as port:
            store = make(f"redis://127.0.0.1:{port}/0", **TIMEOUTS)
            began = time.monotonic()
            await fails(store, [name])
            assert TIMEOUT * 0.9 < time.monotonic() - began < 2 * TIMEOUT
            began = time.monotonic()
            await fails(store)
            assert time.monotonic() - began < TIMEOUT
            began = time.monotonic()
            await fails(make(SENTINELS=[("127.0.0.1", port)], SENTINEL_OPTIONS=TIMEOUTS, **TIMEOUTS), [name])
            assert time.monotonic() - began < 5 * TIMEOUT, "also in the place of a sentinel"

    async def test_does_not_keep_a_store_from_closing(self, make: MakeStore) -> None:
        with black_hole() as port:
            store = make(f"redis://127.0.0.1:{port}/0", **TIMEOUTS)
            store.queue.on_due_sooner(Due.PUSH, lambda: None)
            began = time.monotonic()
            await asyncio.to_thread(store.close)
            assert time.monotonic() - began < 3 * TIMEOUT

    async def test_swallows_a_server_that_was_stopped_in_its_work(self, make: MakeStore, server: RedisServer) -> None:
        store = make(server.url, **TIMEOUTS)
        await live_through(store)
        assert server.process is not None
        server.process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        await fails(store)
        assert time.monotonic() - began < 2 * TIMEOUT
        server.process.send_signal(signal.SIGCONT)
        await recovered(store)


class TestWhatIsSaid:
    @pytest.mark.parametrize(
        "options",
        [
            pytest.param(["--user", "site", "on", "~*", "&*", "+@all", ">another"], id="wrong password"),
            pytest.param(["--user", "site", "on", "~other:*", "+@all", f">{PASSWORD}"], id="forbidden"),
            pytest.param([*USER, "-evalsha", "-mget"], id="no script"),
            pytest.param([*USER, "--rename-command", "EVALSHA", "", "--rename-command", "MGET", ""], id="renamed"),
            pytest.param(None, id="refused"),
            pytest.param([], id="swallowed"),
        ],
    )
    async def test_holds_no_secret(
        self, options: list[str] | None, make: MakeStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        with ExitStack() as stack:
            if options:
                port = stack.enter_context(running(tmp_path, *options)).port
            else:
                port = free_port() if options is None else stack.enter_context(black_hole())
            url = f"redis://site:{PASSWORD}@127.0.0.1:{port}/0"
            errors = await fails(make(url, **TIMEOUTS), ("bind", "open", "end", "touch", "aopen", "atouch", "ahold"))
        # As a log that shows causes and an error page would say it.
        said = caplog.text + "".join("".join(traceback.format_exception(error)) for error in errors)
        assert "Redis" in said
        for secret in (KEY, PASSWORD, url):
            assert secret not in said


class TestARefusal:
    async def test_of_one_thing_is_reported_and_is_no_outage_for_the_others(
        self, make: MakeStore, server: RedisServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        store, noted = make(server.url, PREFIX="{idlewatch}:"), []
        store.on_outage(lambda: noted.append("refused"))
        store.sessions.open(session("w1"), NOW)
        with server.client() as client:
            client.lpush("{idlewatch}:epoch", "this is no hash")
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                store.presence.is_holding_back(NOW)
            with pytest.raises(StoreUnavailable):
                await store.presence.renew("p1", NOW, LEASE)
            assert store.sessions.get("w1") is not None
            refused = store.presence.renew("p1", NOW, LEASE)
            results = await asyncio.gather(store.sessions.aget("w1"), refused, return_exceptions=True)
            assert results[0] is not None
            assert isinstance(results[1], StoreUnavailable)
        assert noted == ["refused"] * 9
        assert len(caplog.records) == 1, "an error for each would fill the log"

    async def test_by_a_replica_that_is_read_only_is_an_outage_for_writers(
        self, make: MakeStore, server: RedisServer
    ) -> None:
        store = make(server.url)
        opened = store.sessions.open(SESSION, NOW)
        with server.client() as client:
            client.replicaof("127.0.0.1", free_port())
        assert store.sessions.get("w1") == await store.sessions.aget("w1") == opened
        await fails(store, WRITERS, match="ReadOnlyError")
