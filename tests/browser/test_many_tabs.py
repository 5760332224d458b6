"""As many tabs of one session as the server takes, and one more."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.visits import CALM, Wire, everyday, visit
from tests.support.browsing import stay_covered, until
from tests.support.serving import Server

pytestmark = [pytest.mark.server, pytest.mark.browser]

MAX_TABS = 50
PAGE = "/life/light/"
IDLE, WARN = 22.0, 14.0


def test_fifty_tabs_warn_clear_and_end_as_one_and_one_more_does_so_over_http(
    browser: Browser, site: Server, tmp_path_factory: pytest.TempPathFactory
):
    # One process for all of them: the tabs are many, the machine is small.
    flags = ("--process-per-site", "--renderer-process-limit=1")
    with everyday(browser, tmp_path_factory.mktemp("profile"), *flags) as context:
        limits = CALM | {"IDLE_TIMEOUT": IDLE, "WARN_BEFORE": WARN, "HEARTBEAT": 1}
        tabs = [visit(context, site.url(PAGE), limits)[0]]
        # One of its own: all of these go out, and only then is waited for them.
        for _ in range(MAX_TABS - 1):
            tabs.append(context.new_page())
            tabs[-1].goto(site.url(PAGE), wait_until="commit")
        for tab in tabs:
            until(tab, "window.idlewatch?.state && window.kept")
            stay_covered(tab)
        extra = context.new_page()
        polls: list[str] = []
        extra.on("request", lambda request: polls.append(request.url) if "/idlewatch/state/" in request.url else None)
        wire = Wire(extra)
        extra.goto(site.url(PAGE))
        until(extra, "window.idlewatch?.state")
        stay_covered(extra)
        everyone = [*tabs, extra]

        times = [warned_at(tab) for tab in everyone]
        assert max(times[:-1]) - min(times[:-1]) < 2
        # It asks every heartbeat.
        assert max(times) - min(times) < 4
        assert [socket.is_closed() for socket in wire.sockets] == [True]
        assert polls
        for tab in (tabs[0], tabs[-1], extra):
            expect(tab.get_by_role("alertdialog")).to_be_visible()

        tabs[0].bring_to_front()
        tabs[0].get_by_role("button", name="Stay signed in").click()
        for tab in everyone:
            until(tab, "window.idlewatch.state.phase === 'active'", 4)
        expect(tabs[-1].get_by_role("alertdialog")).to_be_hidden()

        leaving = tabs.pop(0)
        leaving.goto(site.url("/"))
        leaving.click("text=Sign out")
        for tab in (*tabs, extra):
            until(tab, "window.idlewatch.state.phase === 'ended'", 8)
            assert "patient" not in tab.evaluate("document.body.innerText")


def warned_at(tab: Page) -> float:
    until(tab, "window.kept.warned", IDLE)
    return tab.evaluate("window.kept.warned.at") / 1000
