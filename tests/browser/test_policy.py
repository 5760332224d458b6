"""Under the strictest content security policy that a page with a script can have, in every state."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.proxy import Proxy, Way, proxy
from tests.browser.visits import CALM, SHORT, visit
from tests.support.browsing import stay_covered, until
from tests.support.serving import Server

pytestmark = [pytest.mark.server, pytest.mark.browser]

PAGE = "/life/strict/"
STATE = "window.idlewatch.state"


@pytest.fixture
def between(site: Server) -> Iterator[Proxy]:
    with proxy(site.port) as between:
        yield between


@pytest.fixture
def complaints(context: BrowserContext) -> Iterator[list[str]]:
    """What the browser complains of; there must be nothing at the end."""
    found: list[str] = []

    def listen(page: Page) -> None:
        page.on("console", lambda message: found.append(message.text))
        page.on("pageerror", lambda error: found.append(str(error)))

    context.on("page", listen)
    yield found
    # A request or a socket that the network refuses is told as an error too.
    assert [text for text in found if not re.search("Failed to load resource|WebSocket connection to", text)] == []


def violations(page: Page) -> list[str]:
    return page.evaluate("window.kept.violations")


def visit_kept(context: BrowserContext, url: str, limits: dict[str, float | None]) -> Page:
    page, _ = visit(context, url, limits)
    stay_covered(page)
    return page


@pytest.mark.rule("R27")
@pytest.mark.usefixtures("complaints")
class TestNoViolation:
    def test_the_policy_is_in_force(self, context: BrowserContext, site: Server, complaints: list[str]):
        page, _ = visit(context, site.url(PAGE), CALM)
        page.evaluate("document.body.setAttribute('style', 'color: red')")
        until(page, "window.kept.violations.length")
        assert "style-src" in violations(page)[0]
        complaints.clear()

    def test_warned_typed_in_and_ended(self, context: BrowserContext, site: Server):
        page = visit_kept(context, site.url(PAGE), SHORT)
        page.fill("#note", "half a letter")
        expect(page.get_by_role("alertdialog")).to_be_visible(timeout=8000)
        expect(page.get_by_role("heading", name="Signed out")).to_be_visible(timeout=8000)
        assert violations(page) == []

    def test_near_the_absolute_limit(self, context: BrowserContext, site: Server):
        page = visit_kept(context, site.url(PAGE), SHORT | {"IDLE_TIMEOUT": 30, "ABSOLUTE_TIMEOUT": 6})
        until(page, f"{STATE}.phase === 'warned' && !{STATE}.extendable", 8)
        expect(page.get_by_text("time limit")).to_be_visible()
        page.get_by_role("button", name="Dismiss").click()
        until(page, f"{STATE}.phase === 'ended'", 8)
        assert violations(page) == []

    def test_offline_hidden_and_back(self, context: BrowserContext, between: Proxy, site: Server):
        page = visit_kept(context, between.url(PAGE), SHORT | {"IDLE_TIMEOUT": 9, "WARN_BEFORE": 2})
        between.set_all(Way.CUT)
        until(page, f"{STATE}.offline")
        expect(page.get_by_text("Offline.")).to_be_visible(timeout=5000)
        until(page, f"{STATE}.hidden", 12)
        between.set_all(Way.PASS)
        page.evaluate("window.dispatchEvent(new Event('online'))")
        until(page, f"{STATE}.phase === 'ended'", 10)
        assert violations(page) == []

    @pytest.mark.parametrize("path", ["/", "/accounts/login/"])
    def test_the_project_s_own_pages(self, path: str, context: BrowserContext, site: Server):
        page, _ = visit(context, site.url("/"), CALM)
        page.goto(site.url(path))
        page.wait_for_timeout(300)
