"""Tabs that are hidden, frozen, asleep, cut off, or kept by the browser."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.proxy import Proxy, Way
from tests.browser.visits import CALM, SHORT, connected, end_reason, everyday, visit, wait_for
from tests.support.browsing import stay_covered, until
from tests.support.serving import Server

pytestmark = [pytest.mark.server, pytest.mark.browser]


@pytest.fixture(scope="module")
def browser(whole_browser: Browser) -> Browser:
    return whole_browser


PAGE, KEPT, ELSEWHERE = "/life/light/", "/life/kept/", "/life/open/"
LOGIN = re.compile("/accounts/login/")
CONTENT = "document.body.innerText.includes('patient')"
# Chromium slows a tab's timers down to one a minute when it has been hidden for five minutes; here sooner.
THROTTLED = "--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/2"


@pytest.fixture(scope="module")
def everyday_context(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    with everyday(browser, tmp_path_factory.mktemp("profile"), THROTTLED) as context:
        yield context


@pytest.fixture
def context(everyday_context: BrowserContext) -> Iterator[BrowserContext]:
    """The everyday browser, signed out, with one empty tab."""
    everyday_context.clear_cookies()
    yield everyday_context
    spare = everyday_context.new_page()
    for page in everyday_context.pages:
        if page is not spare:
            page.close()


def state_of(context: BrowserContext, site: Server) -> dict:
    return context.request.get(site.url("/idlewatch/state/")).json()


def act_elsewhere(context: BrowserContext, site: Server) -> None:
    """Count as activity, from another window of the same session."""
    context.request.get(site.url(ELSEWHERE), headers={"Accept": "text/html"})


TRIES = 3
"""How often a page is left: a browser on a busy machine may not keep it."""


class TestBackForwardCache:
    def test_within_the_session_the_page_comes_back_as_it_was_and_connects(self, context: BrowserContext, site: Server):
        for _ in range(TRIES):
            page, wire = visit(context, site.url(KEPT), CALM)
            page.fill("#note", "half a letter")
            page.evaluate("document.getElementById('list').scrollTop = 300")
            page.click("text=Elsewhere")
            expect(page.get_by_role("heading", name="Elsewhere")).to_be_visible()
            sockets = len(wire.sockets)
            page.go_back(wait_until="commit")
            with suppress(AssertionError):
                until(page, "window.kept.shows.at(-1)")
                break
        assert page.evaluate("window.kept.shows.at(-1)")
        connected(page)
        until(page, CONTENT)
        assert page.input_value("#note") == "half a letter"
        assert page.evaluate("document.getElementById('list').scrollTop") == 300
        assert page.evaluate("window.idlewatch.state.hidden") is False
        page.keyboard.press("Shift")
        wait_for(page, lambda: state_of(context, site)["remaining"] > 59)
        assert sockets == 1

    @pytest.mark.rule("R19", "R41")
    def test_after_the_end_it_shows_nothing(self, context: BrowserContext, site: Server):
        page, _ = visit(context, site.url(KEPT), CALM)
        stay_covered(page)
        page.click("text=Elsewhere")
        other = context.new_page()
        other.goto(site.url("/"))
        other.click("button:text-is('Sign out')")
        expect(other).to_have_url(LOGIN)
        page.bring_to_front()
        page.go_back(wait_until="commit")
        until(page, "window.kept.shows.at(-1)")
        expect(page.get_by_role("heading", name="Signed out")).to_be_visible()
        # Not even in the first picture that the browser drew of it, though by its own clock it had time left.
        until(page, "window.kept.seen.length > 1")
        first, *later = page.evaluate("window.kept.seen")
        assert first
        assert not any(later)
        assert page.evaluate(CONTENT) is False


class TestFrozen:
    @pytest.mark.rule("R37")
    def test_it_neither_extends_nor_holds_others_up_and_shows_nothing_after_the_end(
        self, context: BrowserContext, site: Server
    ):
        frozen, _ = visit(context, site.url(PAGE), SHORT)
        stay_covered(frozen)
        front, _ = visit(context, site.url(PAGE))
        started = time.monotonic()
        until(frozen, "document.visibilityState === 'hidden'")
        frozen.keyboard.press("Shift")
        cdp = context.new_cdp_session(frozen)
        cdp.send("Page.setWebLifecycleState", {"state": "frozen"})
        expect(front).to_have_url(LOGIN, timeout=12_000)
        assert time.monotonic() - started > 5
        cdp.send("Page.setWebLifecycleState", {"state": "active"})
        until(frozen, f"!({CONTENT})")
        until(frozen, "window.kept.seen.length > 0 && !window.kept.seen.at(-1)", 3)
        frozen.bring_to_front()
        # The other tab has told the reason already.
        expect(frozen.get_by_role("heading", name="Signed out")).to_be_visible(timeout=10_000)


class TestHidden:
    @pytest.mark.rule("R36")
    def test_it_warns_in_time_and_counts_in_its_title_though_its_timers_are_slowed_down(
        self, context: BrowserContext, site: Server
    ):
        page, wire = visit(context, site.url(PAGE), CALM | {"IDLE_TIMEOUT": 16, "WARN_BEFORE": 10})
        front = context.new_page()
        until(page, "document.visibilityState === 'hidden'")
        page.wait_for_timeout(3000)
        ticks = page.evaluate("window.kept.ticks")
        until(page, "window.kept.warned", 8)
        slowed = page.evaluate("window.kept.ticks") - ticks
        assert slowed < 10
        assert page.evaluate("window.kept.warned.remaining") > 8
        assert re.search(r"0:\d\d", page.title())
        expect(page.get_by_role("alertdialog")).to_be_visible()
        wire.clear()
        page.bring_to_front()
        until(page, "document.title === 'A light page'")
        wait_for(page, lambda: wire.of("sync"))
        page.get_by_role("button", name="Stay signed in").click()
        expect(page.get_by_role("alertdialog")).to_be_hidden()
        front.close()


class TestAsleep:
    def test_it_hides_at_once_and_asks(self, context: BrowserContext, site: Server, between: Proxy):
        """Nothing runs in the tab for longer than the limit, and the network is not back at once when it wakes."""
        page, renderer = _alone_in_a_process(context, between.url(PAGE), SHORT)
        stay_covered(page)
        page.evaluate("window.kept.stayed = true")
        between.set_all(Way.SWALLOW)
        os.kill(renderer, signal.SIGSTOP)
        try:
            for _ in range(13):
                time.sleep(0.5)
                act_elsewhere(context, site)
        finally:
            os.kill(renderer, signal.SIGCONT)
        until(page, f"!({CONTENT})")
        between.set_all(Way.PASS)
        page.evaluate("window.dispatchEvent(new Event('online'))")
        until(page, CONTENT, 15)
        assert page.evaluate("window.kept.stayed")
        assert page.evaluate("window.idlewatch.state.phase") in {"active", "warned"}


class TestCutOff:
    LIMITS = SHORT | {"IDLE_TIMEOUT": 9, "WARN_BEFORE": 2}

    def cut_off(self, context: BrowserContext, between: Proxy) -> Page:
        page, _ = visit(context, between.url(PAGE), self.LIMITS)
        page.evaluate("window.kept.stayed = true")
        page.evaluate("document.getElementById('list').scrollTop = 300")
        between.set_all(Way.CUT)
        until(page, "window.idlewatch.state.offline")
        expect(page.get_by_text("Offline.")).to_be_visible(timeout=5000)
        return page

    @pytest.mark.rule("R18")
    def test_its_own_clock_hides_the_page_and_the_server_brings_it_back_as_it_was(
        self, context: BrowserContext, site: Server, between: Proxy
    ):
        page = self.cut_off(context, between)
        before = page.evaluate("window.idlewatch.state.remaining")
        page.locator("#note").press_sequentially("half a letter")
        assert page.evaluate("window.idlewatch.state.remaining") > max(before, 8)
        deadline = time.monotonic() + 15
        while page.evaluate(CONTENT):
            act_elsewhere(context, site)
            page.wait_for_timeout(300)
            assert time.monotonic() < deadline
        assert page.evaluate("window.idlewatch.state.remaining") == 0
        expect(page.get_by_role("heading", name="Offline")).to_be_visible()
        assert page.title() == "Offline"
        act_elsewhere(context, site)
        between.set_all(Way.PASS)
        page.evaluate("window.dispatchEvent(new Event('online'))")
        until(page, CONTENT)
        assert page.input_value("#note") == "half a letter"
        assert page.evaluate("document.activeElement.id") == "note"
        assert page.evaluate("document.getElementById('list').scrollTop") == 300
        assert page.evaluate("window.kept.stayed")

    def test_a_session_that_ended_meanwhile_stays_hidden(self, context: BrowserContext, site: Server, between: Proxy):
        page = self.cut_off(context, between)
        until(page, f"!({CONTENT})", 12)
        wait_for(page, lambda: end_reason(site) == "idle")
        between.set_all(Way.PASS)
        page.evaluate("window.dispatchEvent(new Event('online'))")
        expect(page).to_have_url(LOGIN, timeout=10_000)
        expect(page.get_by_text("because of inactivity")).to_be_visible()


def _alone_in_a_process(context: BrowserContext, url: str, limits: dict[str, float | None]) -> tuple[Page, int]:
    """Open a tab that shares its process with no other; return that process's id too."""
    assert context.browser is not None
    cdp = context.browser.new_browser_cdp_session()

    page, _ = visit(context, url, limits)
    processes = cdp.send("SystemInfo.getProcessInfo")["processInfo"]
    before = {each["id"]: _cpu(each["id"]) for each in processes if each["type"] == "renderer"}
    # The one that works while the page does.
    page.evaluate("for (const end = performance.now() + 500; performance.now() < end;);")
    return page, max(before, key=lambda renderer: _cpu(renderer) - before[renderer])


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
