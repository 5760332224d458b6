from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState

from tests.support.browsing import sign_in, until
from tests.support.serving import Server, demo

IDLE, WARN, GRACE = 5.0, 2.5, 2.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    limits = {"IDLE_TIMEOUT": IDLE, "WARN_BEFORE": WARN, "CLOSE_GRACE": GRACE, "HEARTBEAT": 0.5}
    environ = {f"IDLEWATCH_{key}": str(value) for key, value in limits.items()}
    directory = tmp_path_factory.mktemp("journey")
    with demo(directory, DJANGO_SETTINGS_MODULE="tests.browser.settings", **environ) as server:
        yield server


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A site on which each session lives under the limits that its test asks for."""
    with demo(tmp_path_factory.mktemp("life"), DJANGO_SETTINGS_MODULE="tests.browser.life_settings") as server:
        yield server


@pytest.fixture(scope="module")
def signed_in(browser: Browser, site: Server) -> StorageState:
    """The cookies of a session that lasts longer than the tests: a context that has them need not sign in."""
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
def alone(browser: Browser) -> Iterator[None]:
    """Close every window that a test left open."""
    yield
    for context in browser.contexts:
        context.close()


@pytest.fixture
def page(context: BrowserContext, server: Server) -> Page:
    """A tab that is signed in and connected."""
    page = context.new_page()
    sign_in(page, server.url("/"))
    connected(page)
    return page


def connected(page: Page) -> None:
    until(page, "window.idlewatch?.state")


def open_tab(context: BrowserContext, url: str) -> Page:
    """Open one more tab of the session, and wait until its client is connected."""
    page = context.new_page()
    page.goto(url)
    connected(page)
    return page
