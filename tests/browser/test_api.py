"""The client's events, and pages that load it more than once."""

from __future__ import annotations

from itertools import groupby

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import IDLE
from tests.browser.visits import connected
from tests.support.browsing import sign_in, stay_covered, until

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


@pytest.fixture
def counting(page: Page) -> Page:
    """A tab that counts the sockets it opens."""
    page.add_init_script(COUNT_SOCKETS)
    page.reload()
    connected(page)
    return page


@pytest.mark.rule("R1")
def test_each_change_of_state_comes_before_the_event_that_is_named_for_it(page: Page):
    stay_covered(page)
    page.evaluate(
        """() => {
            window.heard = [];
            for (const name of ["state", "warned", "ended"]) {
                document.addEventListener(`idlewatch:${name}`, ({ detail }) => {
                    window.heard.push([name, detail.phase, detail.reason]);
                });
            }
        }"""
    )
    until(page, "window.heard.some(([name]) => name === 'ended')", IDLE + 5)
    changes = [change for change, _ in groupby(page.evaluate("window.heard")) if change[1] != "active"]
    assert changes[:2] == [["state", "warned", "idle"], ["warned", "warned", "idle"]]
    assert changes[-2:] == [["state", "ended", "idle"], ["ended", "ended", "idle"]]
    assert "What to try" not in page.evaluate("document.body.innerText")


def test_a_page_that_is_given_the_client_twice_is_watched_once(counting: Page):
    counting.evaluate(
        """() => {
            window.first = window.idlewatch;
            const tag = [...document.scripts].find((script) => script.src.includes("/static/idlewatch/"));
            const again = document.createElement("script");
            again.type = "module";
            again.src = `${tag.src}?again`;
            again.addEventListener("load", () => { window.loaded = true; });
            document.body.append(again);
        }"""
    )
    until(counting, "window.loaded")
    assert counting.evaluate("window.first === window.idlewatch")
    assert counting.evaluate("window.opened") == 1


@pytest.mark.rule("R32")
def test_a_frame_that_has_the_client_too_leaves_it_to_the_page_around_it(counting: Page):
    page = counting
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
    expect(page.get_by_role("button", name="Stay signed in")).to_be_visible(timeout=SOON)
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
