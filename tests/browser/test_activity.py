"""Input by every device, in every kind of frame, and what a page does by itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.visits import CALM, SHORT, Wire, visit, wait_for
from tests.support.browsing import until
from tests.support.serving import Server

pytestmark = [pytest.mark.server, pytest.mark.browser]

HEARTBEAT = 0.3
PAGE = "/life/activity/"


@pytest.fixture(scope="module")
def watched(browser: Browser, site: Server) -> Iterator[tuple[Page, Wire]]:
    context = browser.new_context(has_touch=True)
    yield visit(context, site.url(PAGE), CALM | {"HEARTBEAT": HEARTBEAT})
    context.close()


@pytest.fixture
def quiet(watched: tuple[Page, Wire]) -> tuple[Page, Wire]:
    """A page that has reported its last activity."""
    page, wire = watched
    page.evaluate("document.getElementById('frames').replaceChildren(), window.focus()")
    settle(page, wire)
    return page, wire


def settle(page: Page, wire: Wire) -> None:
    page.wait_for_timeout((HEARTBEAT + 0.15) * 1000)
    wire.clear()


def move_mouse(page: Page) -> None:
    page.mouse.move(300, 10)
    page.mouse.move(310, 12)


def turn_wheel(page: Page) -> None:
    page.mouse.wheel(0, 30)


def press_key(page: Page) -> None:
    page.keyboard.press("Shift")


def touch(page: Page) -> None:
    page.touchscreen.tap(250, 20)


def press_pen(page: Page) -> None:
    cdp = page.context.new_cdp_session(page)
    for type_ in ("mousePressed", "mouseReleased"):
        place = {"x": 340, "y": 20, "button": "left", "clickCount": 1, "pointerType": "pen"}
        cdp.send("Input.dispatchMouseEvent", {"type": type_, **place})


def compose(page: Page) -> None:
    """Write a word with an input method."""
    page.focus("#text")
    cdp = page.context.new_cdp_session(page)
    cdp.send("Input.imeSetComposition", {"text": "に", "selectionStart": 1, "selectionEnd": 1})
    cdp.send("Input.insertText", {"text": "日本"})


def speak(page: Page) -> None:
    """Insert text without a key: speech, a pasting menu and the browser's filling-in all end in an `input` event."""
    page.focus("#plain")
    page.context.new_cdp_session(page).send("Input.insertText", {"text": "spoken"})


def drop(page: Page) -> None:
    """Drop text from another window."""
    cdp = page.context.new_cdp_session(page)
    data = {"items": [{"mimeType": "text/plain", "data": "from elsewhere"}], "dragOperationsMask": 1}
    box = page.locator("#target").bounding_box()
    assert box is not None
    for type_ in ("dragEnter", "dragOver", "drop"):
        cdp.send("Input.dispatchDragEvent", {"type": type_, "x": box["x"] + 5, "y": box["y"] + 5, "data": data})


def type_in_a_shadow(page: Page) -> None:
    page.locator("#host input").press("a")


def type_in_a_closed_shadow(page: Page) -> None:
    page.evaluate("window.focusClosed()")
    page.keyboard.press("a")


@pytest.mark.parametrize(
    "act",
    [
        move_mouse,
        turn_wheel,
        press_key,
        touch,
        press_pen,
        compose,
        speak,
        drop,
        type_in_a_shadow,
        type_in_a_closed_shadow,
    ],
)
def test_input_of_every_kind_is_activity(act: Callable[[Page], None], quiet: tuple[Page, Wire]):
    page, wire = quiet
    act(page)
    wait_for(page, lambda: wire.of("activity"))


@pytest.mark.parametrize("name", ["navigated", "nested", "in_a_shadow", "rewritten", "design_mode"])
def test_typing_in_an_editor_in_a_frame_is_activity(name: str, quiet: tuple[Page, Wire]):
    page, wire = quiet
    page.evaluate("async name => { (await window.editors[name]()).focus(); }", name)
    settle(page, wire)
    page.keyboard.press("a")
    wait_for(page, lambda: wire.of("activity"))


def test_typing_in_a_frame_of_another_origin_is_not_seen_and_does_no_harm(quiet: tuple[Page, Wire], site: Server):
    page, wire = quiet
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    address = f"http://localhost:{site.port}/life/open/"
    page.evaluate("address => { document.getElementById('frames').innerHTML = `<iframe src='${address}'>`; }", address)
    page.frame_locator("iframe").locator("input").press("a")
    page.wait_for_timeout((HEARTBEAT + 0.3) * 1000)
    assert wire.of("activity") == []
    page.mouse.click(300, 10)
    wait_for(page, lambda: wire.of("activity"))
    assert errors == []


@pytest.mark.rule("R5")
def test_a_page_that_acts_by_itself_below_a_mouse_at_rest_idles_out(context: BrowserContext, site: Server):
    page, wire = visit(context, site.url(PAGE), SHORT)
    page.hover("#mover")
    page.evaluate("window.actByItself()")
    expect(page).to_have_url(re.compile("/accounts/login/"), timeout=12_000)
    expect(page.get_by_text("because of inactivity")).to_be_visible()
    assert wire.of("activity") == []


def test_the_last_activity_is_sent_when_the_page_goes(context: BrowserContext, site: Server):
    def remaining() -> float:
        return float(context.request.get(site.url("/idlewatch/state/")).json()["remaining"])

    page, wire = visit(context, site.url(PAGE), CALM | {"HEARTBEAT": 12})
    page.keyboard.press("Shift")
    wait_for(page, lambda: wire.of("activity"))
    wait_for(page, lambda: remaining() < 58)
    page.keyboard.press("Control")
    assert len(wire.of("activity")) == 1
    page.goto("about:blank")
    wait_for(page, lambda: remaining() > 59)


def test_media_hold_the_session_while_they_play(context: BrowserContext, site: Server):
    page, wire = visit(context, site.url("/life/media/"), CALM)
    page.evaluate("document.querySelector('#unmarked').play()")
    for element in ("audio", "video"):
        page.evaluate(f"document.querySelector('{element}').play()")
        until(page, "window.idlewatch.state.held")
        page.evaluate(f"document.querySelector('{element}').pause()")
        until(page, "!window.idlewatch.state.held")
    assert [hold["label"] for hold in wire.of("hold")] == ["A lecture", "Playing media"]
    assert [release["id"] for release in wire.of("release")] == [hold["id"] for hold in wire.of("hold")]
