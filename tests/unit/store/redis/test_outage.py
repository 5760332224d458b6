"""Redis is flushed, restarted, away, or refuses: what the callers of the store see of it."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from idlewatch.core.activity import Reason
from idlewatch.core.events import Acted, Extended, Held, Requested, TabOpened
from idlewatch.exceptions import StoreUnavailable
from idlewatch.store.redis import RedisStore
from idlewatch.store.redis.breaker import STORE_TIMEOUT
from idlewatch.store.values import Due
from tests.support.redis_server import RedisServer
from tests.support.serving import free_port
from tests.unit.store.redis.conftest import MakeStore
from tests.unit.store.redis.sessions import LEASE, NOW, live_through, recovered, session, until

KEY = "0123456789abcdefghijklmnopqrstuv"
PASSWORD = "correct-horse-battery"
SESSION = session(key=KEY)
pytestmark = pytest.mark.server
TIMEOUT = 0.3
TIMEOUTS = {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT}

SYNC: dict[str, Callable[[RedisStore], object]] = {
    "get": lambda store: store.sessions.get("w1"),
    "open": lambda store: store.sessions.open(SESSION, NOW),
    "restart": lambda store: store.sessions.restart(SESSION, NOW),
    "touch": lambda store: store.sessions.apply("w1", Acted(), NOW + 1),
    "extend": lambda store: store.sessions.apply("w1", Extended(), NOW + 1),
    "bind": lambda store: store.sessions.bind("w1", KEY),
    "end": lambda store: store.sessions.end("w1", Reason.LOGOUT, NOW),
    "clear": lambda store: store.clear(),
}
ASYNC: dict[str, Callable[[RedisStore], object]] = {
    "aget": lambda store: store.sessions.aget("w1"),
    "aopen": lambda store: store.sessions.aopen(SESSION, NOW),
    "touch": lambda store: store.sessions.aapply("w1", Requested(), NOW + 1),
    "hold": lambda store: store.sessions.aapply("w1", Held("upload"), NOW + 1),
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


async def everything_fails(store: RedisStore) -> list[StoreUnavailable]:
    """Have each operation fail, and return how it did."""
    errors = []
    for call in SYNC.values():
        with pytest.raises(StoreUnavailable) as caught:
            call(store)
        errors.append(caught.value)
    for acall in ASYNC.values():
        with pytest.raises(StoreUnavailable) as caught:
            await acall(store)  # type: ignore[misc]
        errors.append(caught.value)
    return errors


def told(errors: list[StoreUnavailable], caplog: pytest.LogCaptureFixture) -> str:
    """Return all that was said of errors, as a log that shows causes and an error page would say it."""
    return caplog.text + "".join("".join(traceback.format_exception(error)) for error in errors)


@contextmanager
def black_hole() -> Iterator[int]:
    """Listen, and never say a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


class TestFlushedScripts:
    async def test_are_loaded_again_without_an_error(self, make: MakeStore, server: RedisServer) -> None:
        store = make(server.url)
        with server.client() as client:
            await live_through(store)
            store.clear()
            flushing: list[int] = []

            def flush(name: str) -> None:
                client.script_flush()
                flushing.append(len(name))

            for link_call in ("call", "acall"):
                _before_each(store, link_call, flush)
            await live_through(store)
            assert len(flushing) > 20

    async def test_in_one_turn_apply_nothing_twice(self, make: MakeStore, server: RedisServer) -> None:
        store = make(server.url)
        for index in range(20):
            store.sessions.open(session(f"w{index}"), NOW)
        with server.client() as client:
            client.script_flush()
        touched, opened, extended, claimed, known = await asyncio.gather(
            store.sessions.aapply("w0", Requested(), NOW + 1),
            asyncio.gather(*(store.sessions.aapply("w1", TabOpened("p1", 50), NOW + 1) for _ in range(20))),
            asyncio.gather(*(store.sessions.aapply(f"w{index}", Extended(), NOW + 1) for index in range(2, 20))),
            store.queue.claim(Due.CHECK, NOW + 60, 100, LEASE),
            store.sessions.aget("w0"),
        )
        assert known is not None
        assert touched is not None
        assert touched.activity.active == NOW + 1
        assert store.sessions.get("w0") == touched
        assert touched.version > int(NOW * 1000)
        assert [each and each.activity.extensions for each in extended] == [1] * 18
        assert len(opened) == 20
        last = await store.sessions.aget("w1")
        assert last is not None
        assert last.activity.tabs == {"p1": 20}
        assert len(claimed) == 20


def _before_each(store: RedisStore, name: str, do: Callable[[str], None]) -> None:
    """Do something before each thing that a store asks of Redis."""
    ask = getattr(store._client, name)

    def asking(command: object) -> object:
        do(name)
        return ask(command)

    setattr(store._client, name, asking)


class TestAnEmptiedStore:
    async def test_knows_no_session(self, make: MakeStore, server: RedisServer) -> None:
        store = make(server.url)
        store.sessions.open(session(), NOW)
        with server.client() as client:
            client.flushall()
        assert store.sessions.get("w1") is None
        assert await store.sessions.aapply("w1", Requested(), NOW + 1) is None
        assert await store.queue.next_due(Due.PUSH) is None
        await live_through(store)


class TestAServerThatWentAway:
    async def test_fails_every_call_at_once_and_is_found_again(
        self, make: MakeStore, server: RedisServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = make(server.url)
        await live_through(store)
        server.stop()
        began = time.monotonic()
        await everything_fails(store)
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
        assert await store.sessions.aopen(session(), NOW)

    async def test_keeps_what_it_had_where_redis_does(self, make: MakeStore, tmp_path: Path) -> None:
        server = RedisServer(tmp_path, "--appendfsync", "always", persistent=True)
        server.start()
        try:
            store = make(server.url)
            opened = store.sessions.open(session(), NOW)
            server.stop()
            server.start()
            assert await store.sessions.aget("w1") == opened
        finally:
            await store.aclose()
            store.close()
            server.stop()


class TestABlackHole:
    @pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
    async def test_holds_the_first_caller_for_one_timeout_and_no_other_after(
        self, make: MakeStore, is_async: bool
    ) -> None:
        with black_hole() as port:
            store = make(f"redis://127.0.0.1:{port}/0", **TIMEOUTS)
            began = time.monotonic()
            with pytest.raises(StoreUnavailable):
                await store.ping() if is_async else store.sessions.get("w1")
            assert TIMEOUT * 0.9 < time.monotonic() - began < 2 * TIMEOUT
            began = time.monotonic()
            await everything_fails(store)
            assert time.monotonic() - began < TIMEOUT

    @pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
    async def test_in_the_place_of_a_sentinel_holds_no_caller_for_longer(self, make: MakeStore, is_async: bool) -> None:
        with black_hole() as port:
            store = make(SENTINELS=[("127.0.0.1", port)], SENTINEL_OPTIONS=TIMEOUTS, **TIMEOUTS)
            began = time.monotonic()
            with pytest.raises(StoreUnavailable):
                await store.ping() if is_async else store.sessions.get("w1")
            assert time.monotonic() - began < 5 * TIMEOUT

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
        await everything_fails(store)
        assert time.monotonic() - began < 2 * TIMEOUT
        server.process.send_signal(signal.SIGCONT)
        await recovered(store)


class TestWhatIsSaid:
    @pytest.mark.parametrize("way", ["refused", "swallowed", "wrong password", "forbidden", "renamed", "no script"])
    async def test_holds_no_secret(
        self, way: str, make: MakeStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        options = {
            "renamed": ["--rename-command", "EVALSHA", "", "--rename-command", "GET", ""],
            "wrong password": ["--user", "site", "on", "~*", "&*", "+@all", ">another"],
            "forbidden": ["--user", "site", "on", "~other:*", "+@all", f">{PASSWORD}"],
            "no script": ["--user", "site", "on", "~*", "&*", "+@all", "-evalsha", "-get", f">{PASSWORD}"],
        }.get(way, [])
        user = "site" if "--user" in options else ""
        server = RedisServer(tmp_path, *options)
        with black_hole() as hole:
            if way == "refused":
                port = free_port()
            elif way == "swallowed":
                port = hole
            else:
                server.start()
                port = server.port
            try:
                if not user and server.process is not None:
                    with server.client() as client:
                        client.config_set("requirepass", PASSWORD)
                url = f"redis://{user}:{PASSWORD}@127.0.0.1:{port}/0"
                store = make(url, **TIMEOUTS)
                errors = []
                for call in ("bind", "open", "end", "touch"):
                    with pytest.raises(StoreUnavailable) as caught:
                        SYNC[call](store)
                    errors.append(caught.value)
                for call in ("aopen", "touch", "hold"):
                    with pytest.raises(StoreUnavailable) as caught:
                        await ASYNC[call](store)  # type: ignore[misc]
                    errors.append(caught.value)
                said = told(errors, caplog)
                assert "Redis" in said
                for secret in (KEY, PASSWORD, url):
                    assert secret not in said
            finally:
                await store.aclose()
                store.close()
                server.stop()


class TestAnOutage:
    async def test_is_reported_by_every_operation_that_meets_it(self, make: MakeStore, server: RedisServer) -> None:
        store, noted = make(server.url), []
        store.on_outage(lambda: noted.append(len(noted)))
        await store.ping()
        assert noted == []
        server.stop()
        with pytest.raises(StoreUnavailable):
            await store.queue.claim(Due.PUSH, NOW, 10, LEASE)
        assert noted == [0]
        with pytest.raises(StoreUnavailable):
            store.sessions.get("w1")
        assert noted == [0], "the circuit was open: Redis was not asked"

    async def test_is_a_refusal_too(self, make: MakeStore, server: RedisServer) -> None:
        store, noted = make(server.url, PREFIX="{idlewatch}:"), []
        store.on_outage(lambda: noted.append("refused"))
        with server.client() as client:
            client.lpush("{idlewatch}:watch:w2", "this is no row")
        with pytest.raises(StoreUnavailable):
            store.sessions.get("w2")
        with pytest.raises(StoreUnavailable):
            await store.sessions.aapply("w2", Requested(), NOW + 1)
        assert noted == ["refused"] * 2


class TestARefusal:
    async def test_of_one_thing_is_no_outage_for_the_others(
        self, make: MakeStore, server: RedisServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = make(server.url, PREFIX="{idlewatch}:")
        store.sessions.open(session("w1"), NOW)
        with server.client() as client:
            client.lpush("{idlewatch}:watch:w2", "this is no row")
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                store.sessions.get("w2")
            with pytest.raises(StoreUnavailable):
                await store.sessions.aapply("w2", Requested(), NOW + 1)
            assert store.sessions.get("w1") is not None
            results = await asyncio.gather(store.sessions.aget("w1"), store.sessions.aget("w2"), return_exceptions=True)
            assert results[0] is not None
            assert isinstance(results[1], StoreUnavailable)
        assert len(caplog.records) == 1, "an error for each would fill the log"

    async def test_by_a_replica_that_is_read_only_is_an_outage_for_writers(
        self, make: MakeStore, server: RedisServer, tmp_path: Path
    ) -> None:
        (tmp_path / "replica").mkdir()
        replica = RedisServer(tmp_path / "replica", "--replicaof", "127.0.0.1", str(server.port))
        replica.start()
        try:
            with server.client() as client:
                client.config_set("repl-diskless-sync-delay", 0)
            opened = make(server.url).sessions.open(SESSION, NOW)
            store = make(replica.url)
            until(lambda: store.sessions.get("w1") is not None, within=15.0)
            assert store.sessions.get("w1") == await store.sessions.aget("w1") == opened
            for name in ("clear", "restart", "touch", "extend", "bind", "end"):
                with pytest.raises(StoreUnavailable, match="ReadOnlyError"):
                    SYNC[name](store)
            for name in ("touch", "hold", "aend", "renew", "ping"):
                with pytest.raises(StoreUnavailable, match="ReadOnlyError"):
                    await ASYNC[name](store)  # type: ignore[misc]
        finally:
            await store.aclose()
            store.close()
            replica.stop()
