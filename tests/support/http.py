"""Browsers for the site in `http_site`, over WSGI or ASGI, and what tests ask about its sessions.

A `conftest.py` imports the fixtures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.contrib.sessions.backends.file import SessionStore
from django.core.cache import cache
from django.dispatch import Signal
from django.test import AsyncClient, Client

from idlewatch.core.activity import Reason
from idlewatch.core.events import TabClosed, TabOpened
from idlewatch.core.policy import Phase
from idlewatch.models import WatchedSession
from idlewatch.monitor import service as monitor
from idlewatch.monitor import stores
from idlewatch.process import current_process
from idlewatch.runtime.hub import Hub
from idlewatch.runtime.timer import Timer
from idlewatch.signals import session_ended, session_opened
from tests.conftest import Time
from tests.support import http_site
from tests.support.announced import Heard
from tests.support.processes import lose_store

PASSWORD = "correct horse"
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html,*/*;q=0.8"}
FETCH = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "*/*"}
HTMX = FETCH | {"HX-Request": "true"}
ENGINES = ("db", "cache", "cached_db", "file", "signed_cookies")


class Browser:
    """A browser with its cookies; its requests go through Django's side of WSGI or ASGI."""

    def __init__(self, *, is_async: bool = False, **options: Any) -> None:
        self.is_async = is_async
        self.client = AsyncClient(**options) if is_async else Client(**options)

    @property
    def key(self) -> str | None:
        cookie = self.client.cookies.get("sessionid")
        return cookie.value if cookie is not None and cookie.value else None

    @key.setter
    def key(self, value: str) -> None:
        self.client.cookies["sessionid"] = value

    def ask(self, method: str, path: str, data: Any = None, headers: dict[str, str] | None = None, **extra: Any) -> Any:
        call = getattr(self.client, method)
        if not self.is_async:
            return call(path, data, headers=headers or {}, **extra)
        return async_to_sync(call)(path, data, headers=headers or {}, **extra)

    def visit(self, path: str, **headers: str) -> Any:
        """Go to a page."""
        return self.ask("get", path, headers=NAVIGATION | headers)

    def submit(self, path: str, data: Any = None, **headers: str) -> Any:
        """Send a form."""
        return self.ask("post", path, data, NAVIGATION | headers)

    def poll(self, path: str) -> Any:
        """Fetch something, as a page's script does."""
        return self.ask("get", path, headers=FETCH)

    def say(self, message: str | bytes, **headers: str) -> Any:
        """Send the page's message over HTTP."""
        return self.ask("post", "/idlewatch/message/", message, FETCH | headers, content_type="application/json")

    def sign_in(self, user: User | str, path: str = "/login/", **data: str) -> Any:
        response = self.submit(path, {"username": str(user), "password": PASSWORD} | data)
        assert response.status_code in {200, 302}, response
        return response


@pytest.fixture
def site(settings: Any, transactional_db: None) -> Iterator[None]:
    """Serve the site of `http_site`."""
    settings.ROOT_URLCONF = "tests.support.http_site"
    http_site.during.clear()
    cache.clear()
    yield
    http_site.during.clear()


@pytest.fixture(autouse=True)
def on_site(site: None) -> None:
    """Serve the site in every test of a directory that imports this."""


@pytest.fixture
def make_browser(clock: Time) -> Callable[..., Browser]:
    """Open a browser. It uses WSGI, which is quicker; `test_parity` shows that ASGI is alike."""
    return Browser


@pytest.fixture
def browser(make_browser: Callable[..., Browser]) -> Browser:
    return make_browser()


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> str:
    """Each session engine that Django ships."""
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{request.param}"
    if request.param == "file":
        settings.SESSION_FILE_PATH = str(tmp_path)
        # It reads the setting once.
        if hasattr(SessionStore, "_storage_path"):
            del SessionStore._storage_path
    return request.param


@pytest.fixture
def ann(transactional_db: None) -> User:
    return get_user_model().objects.create_user("ann", password=PASSWORD)


@pytest.fixture
def signed_in(browser: Browser, ann: User) -> Browser:
    """A browser in which Ann is signed in."""
    browser.sign_in(ann)
    return browser


@pytest.fixture
def late(signed_in: Browser, clock: Time) -> Browser:
    """A browser whose session has just ended."""
    clock.pass_(900)
    return signed_in


@pytest.fixture
def bob(transactional_db: None) -> User:
    return get_user_model().objects.create_user("bob", password=PASSWORD)


@pytest.fixture
def signals() -> Iterator[list[tuple[str, Any]]]:
    """Each signal about a session, in order, with the reason of an end."""
    heard = Heard()

    def hear(signal: Signal, watch_id: str, reason: Reason | None = None, **_: object) -> None:
        heard.append(("opened", watch_id) if signal is session_opened else ("ended", reason))

    for signal in (session_opened, session_ended):
        signal.connect(hear)
    yield heard
    for signal in (session_opened, session_ended):
        signal.disconnect(hear)


def record() -> WatchedSession:
    """The only record."""
    return WatchedSession.objects.get()


def records() -> list[tuple[str, str]]:
    """User and reason of each record, in the order of their sign-ins."""
    return list(WatchedSession.objects.order_by("started").values_list("username", "reason"))


def user_of(browser: Browser) -> str:
    """Return the name of the user of a browser's session, without counting as activity."""
    name: str = browser.poll("/open/").json()["user"]
    return name


def phase(time: Time, watch_id: str | None = None) -> Phase:
    watched = monitor.look(watch_id or record().pk, time.now)
    assert watched is not None
    return watched.verdict(time.now).phase


def last_active(watch_id: str | None = None) -> float:
    watched = stores.current().sessions.get(watch_id or record().pk)
    assert watched is not None
    return watched.activity.active


def close_last_tab(time: Time) -> None:
    """Close the browser of the only session cleanly."""
    monitor.look(record().pk, time.now, TabOpened("p", 5))
    monitor.look(record().pk, time.now, TabClosed("p", closed=True))


def tick(time: Time, timer: Timer | None = None) -> Timer:
    """Let a timer do all that is due."""
    timer = timer or Timer(current_process(), Hub(current_process()))

    async def work() -> None:
        await timer.keep(time.now)
        await timer.push(time.now)
        await timer.keep(time.now)

    async_to_sync(work)()
    return timer


def restart_server() -> None:
    """Lose the store, as a restart of the process does."""
    lose_store()
