"""The workbench: one interpreter with a database, a Redis, and what replaces threads, clocks and chance."""

from __future__ import annotations

import asyncio
import atexit
import gc
import logging
import multiprocessing
import multiprocessing.util
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha1
from itertools import count
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import redis
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.management import call_command
from django.core.signals import setting_changed
from django.db import connections
from msgspec.structs import asdict

from idlewatch.consumers import base
from idlewatch.http import follow_up
from idlewatch.monitor import store_lease
from idlewatch.process import set_default
from idlewatch.process.process import current_process
from idlewatch.runtime import hypercorn
from idlewatch.signals.definitions import session_ended
from idlewatch.store import turns
from idlewatch.store.redis import breaker, client, commands, options, pipeline, pubsub
from tests.simulation import replica, threads
from tests.simulation.redis_connections import use
from tests.simulation.redis_link import RedisLink, time_source
from tests.simulation.servers import Server
from tests.simulation.stories import Setup, Story
from tests.simulation.threads import Locals
from tests.support.redis_server import executable

USERS = ("ada", "bob")
SCRIPTS = sorted(
    path.stem
    for path in Path(commands.__file__).with_name("scripts").glob("*.lua")
    if path.stem not in {part for parts in commands.INCLUDED.values() for part in parts}
)
NOTING_STEPS_BACK = (
    "CREATE TABLE steps_back (rule text, text text)",
    """
    CREATE TRIGGER activity_goes_back AFTER UPDATE ON idlewatch_watchedsession
    WHEN old.ended IS NULL AND new.last_active < old.last_active
    BEGIN
        INSERT INTO steps_back
        VALUES ('records', old.id || ' went back from ' || old.last_active || ' to ' || new.last_active);
    END
    """,
    """
    CREATE TRIGGER end_goes_back AFTER UPDATE ON idlewatch_watchedsession
    WHEN old.ended IS NOT NULL AND new.ended IS NULL
    BEGIN
        INSERT INTO steps_back VALUES ('final', old.id || ' had ended by its record, and is open again');
    END
    """,
)
"""Statements by which the database notes what no record may do, at the moment it does."""
PUBLISHING = ("write", "confirm")
"""The scripts that may wake timers."""


class Bench:
    """What the schedules of one process have in common."""

    def __init__(self) -> None:
        shared = Path("/dev/shm")
        self._directory = Path(
            tempfile.mkdtemp(prefix="idlewatch-simulation-", dir=shared if shared.is_dir() else None)
        )
        _at_end(shutil.rmtree, self._directory, ignore_errors=True)
        self._number = 0
        self._sockets = count()
        self.world: Any = None
        self.script_change: Any = None
        """What a mutant makes of the text of a script."""
        self._redis: subprocess.Popen[bytes] | None = None
        self._socket = self._directory / "redis.sock"
        self._file = self._directory / "db.sqlite3"
        self._template = self._directory / "template.sqlite3"
        settings.DATABASES["default"]["NAME"] = connections.settings["default"]["NAME"] = str(self._file)
        connections.settings["replica"] = {**connections.settings["default"], "NAME": str(self._template)}
        connections._connections = Locals()
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
        if not os.environ.get("LOG"):
            logging.disable(logging.CRITICAL)
        from tests.simulation.database.link import DatabaseLink, install

        install(DatabaseLink(Random(0)))
        with connections["default"].cursor() as cursor:
            cursor.execute("PRAGMA journal_mode=WAL")
        call_command("migrate", verbosity=0)
        for name in USERS:
            get_user_model().objects.create_user(name, password="pw")
        with connections["default"].cursor() as cursor:
            for statement in NOTING_STEPS_BACK:
                cursor.execute(statement)
        connections["default"].connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connections["default"].close()
        shutil.copy(self._file, self._template)
        self._patch()
        session_ended.connect(self._note_end, weak=False)
        gc.collect()
        gc.freeze()
        gc.disable()

    def _note_end(self, watch_id: str, reason: str, at: Any, **_: Any) -> None:
        self.world.seen.signalled(watch_id, str(reason), at)

    def start_redis(self) -> None:
        """Start a Redis of this process's own."""
        if self._redis is None:
            options = ["--port", "0", "--unixsocket", str(self._socket), "--save", "", "--dir", str(self._directory)]
            nowhere = subprocess.DEVNULL
            self._redis = subprocess.Popen([executable(), *options], stdin=nowhere, stdout=nowhere, stderr=nowhere)
            _at_end(self._redis.kill)
            deadline = time.monotonic() + 10
            while not self._socket.exists() and time.monotonic() < deadline:
                time.sleep(0.01)
            self._admin = redis.Redis(unix_socket_path=str(self._socket))

    def redis_link(self, rng: Random) -> RedisLink:
        """Return a link to the Redis, which is empty."""
        self.start_redis()
        self._admin.flushall()
        self._admin.script_flush()
        for text in map(client.source_of, SCRIPTS):
            self._admin.script_load(text)
        link = RedisLink(rng, str(self._socket), self._admin)
        link.time_shas = {_sha_of(client.source_of("time"))}
        link.publishing_shas = {_sha_of(client.source_of(name)) for name in PUBLISHING}
        return link

    def reset(self, story: Story) -> None:
        """Make the site as the story has it, with nothing in it."""
        for old in self._directory.glob("db*.sqlite3*"):
            old.unlink()
        # Another name: a connection that was left behind must not get hold of the new one.
        self._number += 1
        file = self._directory / f"db{self._number}.sqlite3"
        shutil.copy(self._template, file)
        settings.DATABASES["default"]["NAME"] = connections.settings["default"]["NAME"] = str(file)
        cache.clear()
        setup = story.setup
        replica.has_replica = setup.has_replica
        connections.settings["default"]["ATOMIC_REQUESTS"] = setup.atomic
        settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{setup.engine}"
        settings.IDLEWATCH = _settings_of(setup)
        before = set_default(None)
        setting_changed.send(sender=None, setting="IDLEWATCH", value=settings.IDLEWATCH, enter=True)
        setting_changed.send(sender=None, setting="SESSION_ENGINE", value=settings.SESSION_ENGINE, enter=True)
        set_default(before)

    def steps_back(self) -> list[tuple[str, str]]:
        """Return what records did that none may do: the rule, and what it was."""
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT rule, text FROM steps_back")
            found: list[tuple[str, str]] = cursor.fetchall()
        return found

    @contextmanager
    def determined(self, seed: int) -> Iterator[None]:
        """Draw everything that is random from the seed."""
        rng = Random(f"secrets {seed}")
        self._sockets = count()
        letters = "abcdefghijklmnopqrstuvwxyz0123456789"
        with ExitStack() as stack:
            for name, make in {
                "token_hex": lambda size=32: rng.randbytes(size).hex(),
                "token_urlsafe": lambda size=32: "".join(rng.choice(letters) for _ in range(size)),
                "randbits": rng.getrandbits,
                "choice": rng.choice,
            }.items():
                stack.enter_context(mock.patch.object(secrets, name, make))
            yield

    def tear_down(self, world: Any) -> None:
        """End a schedule: nothing of it runs any more."""
        world.database.is_closed = True
        if world.redis is not None:
            world.redis.close()
        for server in world.every_server:
            server.runs = False
            for local in server.all_locals():
                for made in local.values():
                    if getattr(made, "connection", None) is not None:
                        made.connection.close()
        outside = connections["default"]
        if outside.connection is not None:
            outside.connection.close()
            outside.connection = None
        world.loop.close_all()
        asyncio.set_event_loop(None)
        # What was under way is closed as it is collected, in no context of theirs.
        with mock.patch.object(sys, "unraisablehook", mock.Mock()):
            self.world = None
            world.servers.clear()
            world.every_server.clear()
            gc.collect()

    def _patch(self) -> None:
        """Put virtual time, and threads that are none, in the place of real ones."""
        plain = commands.source_of

        def source_of(name: str) -> str:
            text = time_source(plain(name))
            return text if self.script_change is None else self.script_change(name, text)

        commands.source_of = client.source_of = pipeline.source_of = source_of
        breaker.CircuitBreaker.__init__.__defaults__ = (self._elapsed,)
        for name in ("make_client", "make_async_client"):
            self._redirect(name)
        pubsub.Thread = threads.WakeupThread
        pubsub.Event = threads.Event
        store_lease.Lock = turns.Lock = threads.Lock
        client.Event = follow_up.Event = threads.Event
        # Sets of sockets are gone through in the order of their hashes: by default, where they lie in memory.
        base.Socket.__hash__ = lambda socket: vars(socket).setdefault("_number", next(self._sockets))
        hypercorn.warn_of_endless_stop = lambda loop: None

    def _elapsed(self) -> float:
        seconds: float = self.world.loop.time()
        return seconds

    def _redirect(self, name: str) -> None:
        plain = getattr(options.ConnectionOptions, name)

        def make(options: Any) -> Any:
            process = current_process()
            assert isinstance(process, Server), "a client belongs to a simulated process"
            return use(plain(options), self.world.redis, process)

        setattr(options.ConnectionOptions, name, make)


def _sha_of(text: str) -> bytes:
    """Return the name under which Redis keeps a script."""
    return sha1(text.encode()).hexdigest().encode()


def _at_end(call: Any, *args: Any, **kwargs: Any) -> None:
    """Call something when this process ends, be it a worker of a pool or not."""
    if multiprocessing.parent_process() is None:
        atexit.register(call, *args, **kwargs)
    else:
        multiprocessing.util.Finalize(None, call, args, kwargs, exitpriority=0)


def _settings_of(setup: Setup) -> dict[str, Any]:
    limits = asdict(setup.limits)
    made: dict[str, Any] = {name.upper(): value for name, value in limits.items()}
    made["MAX_SESSIONS_PER_USER"] = setup.max_sessions
    if setup.store == "redis":
        made["STORE"] = {"BACKEND": "idlewatch.store.redis.RedisStore", "LOCATION": "redis://simulated:6379/0"}
    return made
