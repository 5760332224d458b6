"""What every test may lean on: a store of its own, a clock that it sets, one browser for all."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import SyncToAsync
from django.core.management.commands import flush
from hypothesis import settings
from playwright.sync_api import Browser, Playwright, sync_playwright

from idlewatch.process import Process
from tests.support import keys
from tests.support.browsing import launched
from tests.support.clocks import START, TestClock, Time

__all__ = ["START", "Time"]

# Each run tells the stories of the last; `pytest --hypothesis-profile=default` looks for new ones.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")

for _signal, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    # Ignored where the tests run in the background or under `nohup`; the servers that they start would inherit that.
    if signal.getsignal(_signal) is signal.SIG_IGN:
        signal.signal(_signal, _handler)

CONSTANT = ("django_content_type", "auth_permission")
"""Tables in which no test writes; creating their rows again would take longer than most tests run."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a Redis; the fast tests leave it out."""
    for item in items:
        if "on_redis" in getattr(item, "fixturenames", ()) or item.path.parent.name == "redis":
            item.add_marker("redis")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Refuse sets as parameters: workers that hash differently would collect the tests in different orders."""
    for mark in metafunc.definition.iter_markers("parametrize"):
        if len(mark.args) > 1 and isinstance(mark.args[1], set | frozenset):
            raise pytest.UsageError(f"{metafunc.definition.nodeid} takes its parameters from a set; sort them")


@pytest.fixture(scope="session", autouse=True)
def quick_flush() -> Iterator[None]:
    """Leave the constant tables as they are between tests."""
    statements = flush.sql_flush

    def without_constants(*args: Any, **kwargs: Any) -> list[str]:
        return [each for each in statements(*args, **kwargs) if not any(f'"{table}"' in each for table in CONSTANT)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flush, "sql_flush", without_constants)
        patch.setattr(flush, "emit_post_migrate_signal", lambda *_, **__: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def watched_keys() -> Iterator[None]:
    """Have everything that is written looked at for session keys."""
    with keys.watching():
        yield


@pytest.fixture(autouse=True)
def no_key_leaks(watched_keys: None) -> Iterator[None]:
    """Fail a test in which a session key gets where none belongs."""
    with keys.looking() as found:
        yield
    assert not found.seen, "a session key was seen"


@pytest.fixture(autouse=True)
def process(no_key_leaks: None) -> Iterator[Process]:
    """A server process of its own for each test, and with it a store and a clock."""
    from tests.support.processes import default_process

    with default_process(TestClock()) as process:
        yield process
        finish_database_work()


def finish_database_work(within: float = 30.0) -> None:
    """Wait for what a loop that is gone has left to its thread: to cancel a task ends no thread's work.

    A connection that is opened while `pytest-django` locks the database away again, between two tests, stays without
    autocommit: the next write in it opens a transaction that is never ended, and every later test fails.
    """
    SyncToAsync.single_thread_executor.submit(lambda: None).result(within)


@pytest.fixture
def clock(process: Process) -> Time:
    """The time by which sessions are judged, for the test to put forward."""
    assert isinstance(process.clock, TestClock)
    process.clock.stop()
    return Time(process.clock)


@pytest.fixture
def on_redis(process: Process, settings: Any) -> None:
    """Keep the sessions of a test in Redis, below a prefix of its own, as a deployment of many processes does."""
    from tests.support.redis_server import calm, redis_url

    name, url = secrets.token_hex(8), redis_url()
    calm(url, f"{{{name}}}:")
    store = {"BACKEND": "idlewatch.store.redis.RedisStore", "LOCATION": url, "OPTIONS": {"PREFIX": f"{{{name}}}:"}}
    settings.IDLEWATCH = {**getattr(settings, "IDLEWATCH", {}), "STORE": store}
    layer = "channels_redis.pubsub.RedisPubSubChannelLayer"
    hosts = [{"address": url, "socket_timeout": None}]
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": layer, "CONFIG": {"hosts": hosts, "prefix": name}}}


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """The driver. It keeps an event loop of its own running, so asyncio's tests run in another process."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """A Chromium without windows."""
    with launched(playwright, shell=True) as browser:
        yield browser


@pytest.fixture(scope="session")
def whole_browser(playwright: Playwright) -> Iterator[Browser]:
    """A Chromium with its windows, for what closing, reopening and the back/forward cache do."""
    with launched(playwright) as browser:
        yield browser
