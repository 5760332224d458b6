"""Networks that refuse sockets, swallow what they say, or answer in the server's place."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.proxy import Proxy, Way, proxy
from tests.browser.visits import CALM, SHORT, connected, visit, wait_for
from tests.support.browsing import sign_in, until
from tests.support.serving import Server

pytestmark = [pytest.mark.server, pytest.mark.browser]

PAGE = "/life/light/"
HEARTBEAT = 1.0
BEATING = CALM | {"HEARTBEAT": HEARTBEAT}
OFFLINE = "window.idlewatch.state.offline"


@pytest.fixture
def between(site: Server) -> Iterator[Proxy]:
    with proxy(site.port) as between:
        yield between


class Polls:
    """What a page asks over HTTP."""

    def __init__(self, page: Page) -> None:
        self.times: list[float] = []
        page.on("request", lambda request: self._note(request.url))

    def __len__(self) -> int:
        return len(self.times)

    def _note(self, url: str) -> None:
        if re.search("/idlewatch/(state|message)/", url):
            self.times.append(time.monotonic())


class TestRefused:
    def test_the_fallback_carries_warning_extension_and_end(self, context: BrowserContext, between: Proxy):
        between.set_sockets(Way.REFUSE)
        page, wire = visit(context, between.url(PAGE), SHORT)
        dialog = page.get_by_role("alertdialog")
        expect(dialog).to_be_visible(timeout=8000)
        page.get_by_role("button", name="Stay signed in").click()
        expect(dialog).to_be_hidden(timeout=2500)
        page.keyboard.press("Shift")
        expect(page).to_have_url(re.compile("/accounts/login/"), timeout=15_000)
        expect(page.get_by_text("because of inactivity")).to_be_visible()
        assert wire.heard == []


class TestSwallowed:
    def test_silence_is_noticed_within_two_heartbeats(self, context: BrowserContext, site: Server):
        """In what is said to either side or both; also where nothing but the handshake has ever come through."""
        heartbeat = 8.0
        with ExitStack() as stack:
            proxies = [stack.enter_context(proxy(site.port)) for _ in range(4)]
            proxies[-1].set_sockets(Way.SWALLOW)
            tabs = []
            for number, between in enumerate(proxies):
                page, wire = visit(context, between.url(PAGE), None if number else CALM | {"HEARTBEAT": heartbeat})
                tabs.append((page, wire, Polls(page)))
            for _, wire, _ in tabs[:-1]:
                wait_for(page, lambda heard=wire.heard: heard)
            started = time.monotonic()
            for between, way in zip(proxies, (Way.SWALLOW, Way.SWALLOW_DOWN, Way.SWALLOW_UP), strict=False):
                between.set_sockets(way)
            for page, _, polls in tabs:
                wait_for(page, lambda polls=polls: len(polls), 20)
                assert polls.times[0] - started < 2 * heartbeat
                wait_for(page, lambda page=page: not page.evaluate(OFFLINE))
            assert tabs[-1][1].heard == []


class TestTerminal:
    def test_a_sign_in_in_another_tab_costs_one_connection_at_most(
        self, context: BrowserContext, between: Proxy, site: Server
    ):
        page, wire = visit(context, between.url(PAGE), BEATING)
        wait_for(page, lambda: wire.heard)
        attempts = len(between.attempts)
        sign_in(context.new_page(), site.url("/accounts/login/?next=/life/open/"))
        page.wait_for_timeout(2500)
        assert len(between.attempts) - attempts <= 1
        wire.clear()
        page.evaluate("window.idlewatch.extend()")
        wait_for(page, lambda: any(frame.get("phase") == "active" for frame in wire.heard))
        assert page.evaluate("window.idlewatch.state.remaining") > 59


class TestNoAnswer:
    def test_an_answer_of_another_server_is_none(self, context: BrowserContext, between: Proxy):
        page, _ = visit(context, between.url(PAGE), BEATING)
        page.evaluate("window.kept.stayed = true")
        between.set_all(Way.FAIL)
        until(page, OFFLINE, 12)
        expect(page.get_by_text("Offline.")).to_be_visible(timeout=6000)
        assert page.evaluate("window.idlewatch.state.phase") == "active"
        assert "patient" in page.evaluate("document.body.innerText")
        between.set_all(Way.PASS)
        page.evaluate("window.dispatchEvent(new Event('online'))")
        connected(page)
        expect(page.get_by_text("Offline.")).to_be_hidden()
        assert page.evaluate("window.kept.stayed")
