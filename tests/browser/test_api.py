"""What a page's own scripts may do."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import IDLE, open_tab
from tests.browser.visits import connected
from tests.support.browsing import sign_in, stay_covered, until
from tests.support.serving import Server

pytestmark = [pytest.mark.server, pytest.mark.browser]

SOON = IDLE * 1000 + 10_000

COUNT_SOCKETS = """
    window.opened = 0;
    window.WebSocket = new Proxy(WebSocket, {
        construct(kind, [address]) {
            window.opened += 1;
            return new kind(address);
        },
    });
"""
"""In the page, as Playwright may report a socket after the page can be asked."""


def listen(page: Page, *names: str) -> None:
    """Keep the phase and reason that each event tells in `window.heard`."""
    page.evaluate(
        """(names) => {
            window.heard = [];
            for (const name of names) {
                document.addEventListener(`idlewatch:${name}`, (event) => {
                    window.heard.push([name, event.detail.phase, event.detail.reason]);
                });
            }
        }""",
        list(names),
    )


def heard(page: Page) -> list[list[str | None]]:
    return page.evaluate("window.heard")


@pytest.mark.rule("R33")
def test_a_hold_keeps_the_session_and_an_extension_resets_the_idle_clock(
    page: Page, context: BrowserContext, site: Server
):
    other = open_tab(context, site.url("/"))
    page.evaluate("window.handle = window.idlewatch.hold('Working')")
    until(other, "window.idlewatch.state.held")
    page.wait_for_timeout((IDLE + 1) * 1000)
    assert other.evaluate("window.idlewatch.state.phase") == "active"
    page.evaluate("window.handle.release(); window.handle.release()")
    until(other, "!window.idlewatch.state.held")
    for tab in (page, other):
        until(tab, "window.idlewatch.state.phase === 'warned'")
    page.evaluate("window.idlewatch.extend()")
    for tab in (page, other):
        until(tab, f"window.idlewatch.state.phase === 'active' && window.idlewatch.state.remaining > {IDLE} - 2")


@pytest.mark.rule("R1")
def test_the_events_tell_of_each_change_and_an_end_that_is_cancelled_hides_all_the_same(page: Page, site: Server):
    stay_covered(page)
    listen(page, "state", "warned", "ended")
    until(page, "window.heard.some(([name]) => name === 'ended')", IDLE + 5)
    told = heard(page)
    assert [entry for entry in told if entry[0] != "state"] == [
        ["warned", "warned", "idle"],
        ["ended", "ended", "idle"],
    ]
    assert ["state", "warned", "idle"] in told
    assert told.index(["state", "ended", "idle"]) < told.index(["ended", "ended", "idle"])
    # Longer than a page that leaves would stay.
    page.wait_for_timeout(2500)
    assert page.url == site.url("/")
    assert "What to try" not in page.evaluate("document.body.innerText")


def test_a_page_that_is_given_the_client_twice_is_watched_once(page: Page):
    page.add_init_script(COUNT_SOCKETS)
    page.reload()
    connected(page)
    kept = page.evaluate("window.kept = window.idlewatch; document.scripts.length")
    page.evaluate(
        """() => {
            const tag = [...document.scripts].find((script) => script.src.includes("/static/idlewatch/"));
            const again = document.createElement("script");
            again.type = "module";
            again.src = `${tag.src}?again`;
            again.addEventListener("load", () => { window.loaded = true; });
            document.body.append(again);
        }"""
    )
    until(page, "window.loaded")
    assert page.evaluate("window.kept === window.idlewatch")
    assert page.evaluate("document.scripts.length") == kept + 1
    assert page.evaluate("window.opened") == 1, "the page's own"


@pytest.mark.rule("R32")
def test_a_frame_that_has_the_client_too_leaves_it_to_the_page_around_it(page: Page):
    page.add_init_script(COUNT_SOCKETS)
    page.reload()
    connected(page)
    page.evaluate(
        """() => {
            const frame = document.createElement("iframe");
            frame.src = "/life/light/";
            document.querySelector("main").append(frame);
        }"""
    )
    inner = page.frame_locator("iframe")
    inner.locator("#note").fill("half a note")
    until(page, "frames[0].idlewatch && frames[0].idlewatch === window.idlewatch")
    stay = page.get_by_role("button", name="Stay signed in")
    expect(stay).to_be_visible(timeout=SOON)
    assert page.evaluate("frames[0].document.querySelector('.idlewatch')") is None
    page.evaluate("frames[0].stayed = true")
    expect(page.get_by_role("heading", name="Signed out")).to_be_visible(timeout=SOON)
    assert page.evaluate("frames[0].document.querySelector('.idlewatch')") is None
    expect(inner.locator("#note")).to_be_hidden()
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Sign in again").click()
    sign_in(opened.value, opened.value.url)
    expect(inner.locator("#note")).to_be_visible(timeout=5000)
    expect(inner.locator("#note")).to_have_value("half a note")
    until(page, "frames[0].idlewatch.state.phase === 'active'")
    assert page.evaluate("frames[0].stayed && frames[0].idlewatch === window.idlewatch")
    assert page.evaluate("[window.opened, frames[0].opened]") == [2, 0], "the page's own, for either session"


def test_an_anonymous_page_has_none_of_it(context: BrowserContext, site: Server):
    page = context.new_page()
    page.goto(site.url("/accounts/login/"))
    expect(page).to_have_title(re.compile("idlewatch"))
    assert page.evaluate("window.idlewatch") is None
