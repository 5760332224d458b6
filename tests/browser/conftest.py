from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState

from tests.browser import visits
from tests.browser.played_tab import Played, visit, with_axe
from tests.browser.proxy import Proxy, proxy
from tests.support.browsing import sign_in
from tests.support.serving import Server, demo

OpenPage = Callable[..., tuple[Page, Played]]

IDLE, WARN, GRACE = 5.0, 2.5, 2.0
BRIEF: visits.Limits = {"IDLE_TIMEOUT": IDLE, "WARN_BEFORE": WARN, "CLOSE_GRACE": GRACE, "HEARTBEAT": 0.5}


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A site on which each session lives under the limits that its test asks for."""
    with demo(tmp_path_factory.mktemp("site"), DJANGO_SETTINGS_MODULE="tests.browser.settings") as server:
        yield server


@pytest.fixture(scope="module")
def signed_in(browser: Browser, site: Server) -> StorageState:
    """The cookies of a session that outlasts the tests."""
    context = browser.new_context()
    sign_in(context.new_page(), site.url("/"))
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    yield context
    context.close()


@pytest.fixture
def console(context: BrowserContext) -> Iterator[list[str]]:
    """The errors of scripts and of the policy in a test's pages, of which none may be left in the end."""
    errors: list[str] = []
    context.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    context.on("weberror", lambda error: errors.append(str(error.error)))
    yield errors
    # That a request was refused, or broke off, is what some tests are about.
    assert [text for text in errors if not re.match("Failed to load resource|WebSocket connection to", text)] == []


@pytest.fixture
def between(site: Server) -> Iterator[Proxy]:
    """A proxy between a browser and the site."""
    with proxy(site.port) as between:
        yield between


@pytest.fixture
def open_page(browser: Browser, signed_in: StorageState, site: Server) -> Iterator[OpenPage]:
    """Open pages with a played server, each in a browser of its own."""
    contexts: list[BrowserContext] = []

    def open_page(query: str = "", *, axe: bool = False, **options: Any) -> tuple[Page, Played]:
        context = browser.new_context(storage_state=signed_in, **options)
        contexts.append(with_axe(context) if axe else context)
        return visit(context, site.url(f"/played/page/?{query}"))

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def visited(open_page: OpenPage) -> tuple[Page, Played]:
    return open_page()


@pytest.fixture
def closed_windows(browser: Browser) -> Iterator[None]:
    """Close every window that a test leaves open."""
    yield
    for context in browser.contexts:
        context.close()


@pytest.fixture
def page(context: BrowserContext, site: Server) -> Page:
    """A tab that is signed in and connected, of a session that ends soon."""
    page, _ = visits.visit(context, site.url("/"), BRIEF)
    return page


def open_tab(context: BrowserContext, url: str) -> Page:
    """Open one more tab of the session, and wait until its client is connected."""
    page, _ = visits.visit(context, url)
    return page
