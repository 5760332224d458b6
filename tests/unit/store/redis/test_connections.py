"""The ways to Redis: encrypted, with a password, as a user of few rights, through Sentinel, into a cluster."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import secrets
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import redis
from asgiref.sync import async_to_sync

from idlewatch.exceptions import StoreUnavailable
from idlewatch.store.redis import RedisStore
from idlewatch.store.redis.breaker import STORE_TIMEOUT
from idlewatch.store.redis.connection import KeptConnections
from idlewatch.store.redis.options import ConnectionOptions, close_async_client
from tests.support.redis_server import RedisServer, executable, redis_url, shared_redis
from tests.support.serving import free_port
from tests.unit.store.redis.conftest import MakeStore
from tests.unit.store.redis.sessions import NOW, live_through, recovered, running, session, until

PASSWORD = "correct-horse-battery"


def openssl(directory: Path, *arguments: str) -> None:
    subprocess.run([executable("openssl"), *arguments], cwd=directory, check=True, capture_output=True)


@pytest.mark.server
class TestEncryption:
    @pytest.fixture
    def certificates(self, tmp_path: Path) -> Path:
        new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        # Python 3.13 verifies strictly: an authority says what its key is for, and a certificate whose key signed it.
        usage = ("-addext", "keyUsage=critical,keyCertSign")
        openssl(tmp_path, "req", "-x509", *new, *usage, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=test CA")
        openssl(tmp_path, "req", *new, "-keyout", "redis.key", "-out", "redis.csr", "-subj", "/CN=127.0.0.1")
        (tmp_path / "names").write_text("subjectAltName=IP:127.0.0.1\nauthorityKeyIdentifier=keyid\n")
        signing = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names")
        openssl(tmp_path, "x509", "-req", "-in", "redis.csr", *signing, "-out", "redis.crt")
        return tmp_path

    async def test_with_a_password_in_the_url(self, make: MakeStore, certificates: Path) -> None:
        port = free_port()
        files = {"cert": "redis.crt", "key": "redis.key", "ca-cert": "ca.crt"}
        options = [word for name, file in files.items() for word in (f"--tls-{name}-file", str(certificates / file))]
        options += ["--tls-port", str(port), "--tls-auth-clients", "no"]
        with running(certificates, *options) as server:
            with server.client() as client:
                client.config_set("requirepass", PASSWORD)
            url = f"rediss://:{PASSWORD}@127.0.0.1:{port}/0"
            store = make(url, ssl_ca_certs=str(certificates / "ca.crt"))
            await live_through(store)
            with pytest.raises(StoreUnavailable):
                make(url).sessions.get("w1")
            with pytest.raises(StoreUnavailable):
                await make(url).ping()
            stranger = make(f"rediss://:wrong@127.0.0.1:{port}/0", ssl_ca_certs=str(certificates / "ca.crt"))
            with pytest.raises(StoreUnavailable, match="AuthenticationError"):
                stranger.sessions.get("w1")


@pytest.mark.server
async def test_a_user_needs_no_more_than_the_keys_of_the_store(make: MakeStore, server: RedisServer) -> None:
    with server.client() as client:
        client.acl_setuser(
            "site",
            enabled=True,
            passwords=[f"+{PASSWORD}"],
            keys=["{idlewatch}:*"],
            channels=["{idlewatch}:*"],
            categories=["+@read", "+@write", "+@scripting", "+@connection", "+@pubsub", "-@dangerous"],
            commands=["+time"],
        )
    url = f"redis://site:{PASSWORD}@127.0.0.1:{server.port}/0"
    store = make(url, PREFIX="{idlewatch}:")
    await live_through(store)
    store.clear()
    elsewhere = make(url, PREFIX="{elsewhere}:")
    with pytest.raises(StoreUnavailable, match="NoPermissionError"):
        elsewhere.sessions.open(session(), NOW)


@pytest.mark.server
async def test_a_cluster_keeps_a_store_in_one_slot(make: MakeStore, tmp_path: Path) -> None:
    with running(tmp_path, "--cluster-enabled", "yes", "--cluster-port", str(free_port())) as server:
        with server.client() as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            until(lambda: b"cluster_state:ok" in client.execute_command("CLUSTER", "INFO"))
            store = make(server.url)
            await live_through(store)
            slots = {client.execute_command("CLUSTER", "KEYSLOT", key) for key in client.scan_iter()}
        assert len(slots) == 1


@pytest.mark.server
class TestSentinel:
    @pytest.fixture
    def servers(self, tmp_path: Path) -> Iterator[tuple[RedisServer, RedisServer, int]]:
        """A master, its replica, and the port of what watches over both."""
        sentinel_port = free_port()
        with ExitStack() as stack:
            fast = ("--repl-diskless-sync-delay", "0")
            master = stack.enter_context(running(tmp_path / "first", *fast))
            follows = ("--replicaof", "127.0.0.1", str(master.port))
            replica = stack.enter_context(running(tmp_path / "second", *fast, *follows))
            with replica.client() as client:
                until(lambda: client.info("replication")["master_link_status"] == "up", within=15.0)
            stack.enter_context(_sentinel(tmp_path, sentinel_port, master.port))
            yield master, replica, sentinel_port

    async def test_leads_to_the_master_and_to_the_next(
        self, make: MakeStore, servers: tuple[RedisServer, RedisServer, int]
    ) -> None:
        master, replica, port = servers
        # The first one is not there: the others are asked.
        store = make(SENTINELS=[("127.0.0.1", free_port()), ("127.0.0.1", port)], MASTER="sessions")
        await live_through(store)
        store.clear()
        opened = store.sessions.open(session("kept"), NOW)
        with replica.client() as client:
            until(lambda: client.keys("*watch:kept"))
        master.stop()
        with pytest.raises(StoreUnavailable):
            store.sessions.get("kept")

        until(lambda: store.sessions.open(session("new"), NOW), within=20.0)
        await recovered(store)
        assert store.sessions.get("kept") == await store.sessions.aget("kept") == opened
        store.clear()
        await live_through(store)

    async def test_that_is_away_is_an_outage(self, make: MakeStore) -> None:
        for ask in (lambda store: asyncio.to_thread(store.sessions.get, "w1"), RedisStore.ping):
            with pytest.raises(StoreUnavailable, match="MasterNotFoundError"):
                await ask(make(SENTINELS=[("127.0.0.1", free_port())]))


@contextmanager
def _sentinel(directory: Path, port: int, master: int) -> Iterator[None]:
    settings = directory / "sentinel.conf"
    settings.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {directory}\nsentinel monitor sessions 127.0.0.1 {master} 1\n"
        "sentinel down-after-milliseconds sessions 300\nsentinel failover-timeout sessions 3000\n"
    )
    with (directory / "sentinel.log").open("wb") as log:
        process = subprocess.Popen([executable(), str(settings), "--sentinel"], stdout=log, stderr=log)
    try:
        with redis.Redis(port=port) as client:
            until(lambda: len(client.sentinel_slaves("sessions")) == 1)
        yield
    finally:
        process.kill()
        process.wait()


class TestOptions:
    @pytest.mark.parametrize("prefix", ["idlewatch:", "{idlewatch:", "idlewatch}:{", "{}idlewatch:", "{}{a}", "", None])
    def test_refuse_a_prefix_without_a_hash_tag(self, prefix: str | None) -> None:
        with pytest.raises(ValueError, match=f"PREFIX.*{re.escape(repr(prefix))}"):
            RedisStore(redis_url(), {"PREFIX": prefix})

    @pytest.mark.parametrize(
        ("options", "problem"),
        [
            ({"COLOUR": "blue"}, "'COLOUR'"),
            ({"COLOUR": "blue", "SENTINELS": [("127.0.0.1", 1)]}, "'COLOUR'"),
            ({"decode_responses": True}, "decode_responses"),
        ],
    )
    def test_refuse_one_that_there_is_not_or_that_decodes_rows(self, options: dict[str, object], problem: str) -> None:
        with pytest.raises(ValueError, match=problem):
            RedisStore(redis_url(), options)

    @pytest.mark.parametrize("location", ["http://127.0.0.1/", "redis://:pass/word@127.0.0.1:6379/0", "127.0.0.1:6379"])
    def test_refuse_a_location_without_telling_it(self, location: str) -> None:
        with pytest.raises(ValueError, match="LOCATION") as caught:
            RedisStore(location)
        assert "pass" not in str(caught.value).replace("user:password@", "")
        assert caught.value.__suppress_context__

    @pytest.mark.parametrize("options", [{}, {"SENTINELS": [("127.0.0.1", 1)]}], ids=["url", "sentinel"])
    def test_bound_every_wait_unless_told_otherwise(self, options: dict[str, object]) -> None:
        made = ConnectionOptions(redis_url(), options)
        for pool in (made.make_client().connection_pool, made.make_async_client().connection_pool):
            sentinels = getattr(getattr(pool, "sentinel_manager", None), "sentinels", [])
            for each in (pool, *(sentinel.connection_pool for sentinel in sentinels)):
                kwargs = each.connection_kwargs
                assert kwargs["socket_timeout"] == kwargs["socket_connect_timeout"] == STORE_TIMEOUT

    async def test_to_use_sentinels_are_closed_with_the_client(self) -> None:
        # A Redis answers a ping as a Sentinel does.
        at = {"SENTINELS": [("127.0.0.1", shared_redis().port)]}
        client = ConnectionOptions(redis_url(), at).make_async_client()
        (sentinel,) = client.connection_pool.sentinel_manager.sentinels  # type: ignore[attr-defined]
        await sentinel.ping()
        (connection,) = sentinel.connection_pool._available_connections
        assert connection.is_connected
        await close_async_client(client)
        assert not connection.is_connected

    async def test_reach_the_connections(self, make: MakeStore) -> None:
        store = make(client_name="the-site", protocol=3)
        await live_through(store)
        with shared_redis().client() as client:
            names = [each["name"] for each in client.client_list()]
        assert names.count("the-site") == 2, "one for threads, one for the event loop"


class TestAConnectionOfThreads:
    @pytest.fixture
    def kept(self) -> Iterator[KeptConnections]:
        with ConnectionOptions(redis_url(), {}).make_client() as client:
            yield KeptConnections(client)

    def test_is_kept_and_replaced_where_the_server_closed_it(self, make: MakeStore) -> None:
        name = f"kept-{secrets.token_hex(8)}"
        sessions = make(client_name=name).sessions
        opened = sessions.open(session(), NOW)
        with shared_redis().client() as client:
            (first,) = [each for each in client.client_list() if each["name"] == name]
            assert sessions.get(opened.id) == opened
            assert client.client_kill_filter(_id=first["id"]) == 1
            assert sessions.get(opened.id) == opened
            (other,) = [each for each in client.client_list() if each["name"] == name]
        assert other["id"] != first["id"]

    def test_gives_an_unread_answer_to_no_other_command(
        self, kept: KeptConnections, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupt(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        first = kept.execute("CLIENT", "ID")
        with monkeypatch.context() as patched:
            patched.setattr(redis.Connection, "read_response", interrupt)
            with pytest.raises(KeyboardInterrupt):
                kept.execute("ECHO", "unread")
        assert kept.execute("ECHO", "read") == b"read"
        assert kept.execute("CLIENT", "ID") != first

    def test_is_none_of_its_parent_after_a_fork(self, kept: KeptConnections, monkeypatch: pytest.MonkeyPatch) -> None:
        first = kept.execute("CLIENT", "ID")
        assert kept.execute("CLIENT", "ID") == first
        pid = os.getpid()
        monkeypatch.setattr(os, "getpid", lambda: pid + 1)
        assert kept.execute("CLIENT", "ID") != first

    def test_leaves_room_for_others_where_the_pool_is_small(self, make: MakeStore) -> None:
        store = make(max_connections=1)
        opened = store.sessions.open(session(), NOW)
        assert len(list(store._client.find_keys())) > 0
        assert store.sessions.get(opened.id) == opened
        with store._client.subscriber() as subscriber:
            subscriber.subscribe("any")


class TestEventLoops:
    @pytest.mark.parametrize(
        "run", [lambda work: asyncio.run(work()), lambda work: async_to_sync(work)()], ids=["asyncio", "asgiref"]
    )
    def test_that_end_leave_no_connection(self, run: Callable[..., object]) -> None:
        # As an async view does under WSGI: each request has a loop of its own, which ends without notice.
        store = RedisStore(redis_url(), {"client_name": "short-lived", "PREFIX": "{loops}:"})
        try:
            for _ in range(5):
                run(store.ping)
            gc.collect()
            with shared_redis().client() as client:
                until(lambda: "short-lived" not in [each["name"] for each in client.client_list()])
            assert len(store._client._pipelines) <= 1
        finally:
            store.close()

    async def test_close_with_the_store(self, make: MakeStore) -> None:
        store = make(client_name="closing")
        await store.ping()
        await store.aclose()
        with shared_redis().client() as client:
            until(lambda: "closing" not in [each["name"] for each in client.client_list()])
        await store.ping()
