"""What counts as activity of a person and what does not, seen in the frames."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, CDPSession, Page, expect

from tests.browser.visits import CALM, SHORT, Wire, visit, wait_for
from tests.support.browsing import until
from tests.support.serving import Server

pytestmark = [pytest.mark.server, pytest.mark.browser]

HEARTBEAT = 0.3
SCROLL_AFTER = 1.0
"""Seconds after an act in which scrolling counts."""
PAGE = "/life/activity/"
EDITORS = (
    "address",
    "nested",
    "navigated",
    "in_a_box",
    "srcdoc",
    "blank",
    "written",
    "never_closed",
    "editable",
    "design_mode",
    "in_a_shadow",
)


@pytest.fixture(scope="module")
def watched(browser, site: Server) -> Iterator[tuple[Page, Wire]]:
    context = browser.new_context(has_touch=True)
    yield visit(context, site.url(PAGE), CALM | {"HEARTBEAT": HEARTBEAT})
    context.close()


@pytest.fixture
def quiet(watched: tuple[Page, Wire]) -> tuple[Page, Wire]:
    """A page without activity for a heartbeat."""
    page, wire = watched
    page.evaluate("window.rest(), window.focus()")
    settle(page, wire)
    return page, wire


def settle(page: Page, wire: Wire) -> None:
    """Let what has been done be said."""
    page.wait_for_timeout((HEARTBEAT + 0.15) * 1000)
    wire.clear()


def acted(page: Page, wire: Wire) -> bool:
    """Return whether activity is sent, at once or at the end of the heartbeat."""
    deadline = time.monotonic() + HEARTBEAT + 0.3
    while not wire.of("activity") and time.monotonic() < deadline:
        page.wait_for_timeout(20)
    return bool(wire.of("activity"))


def move_mouse(page: Page) -> None:
    page.mouse.move(300, 10)
    page.mouse.move(310, 12)


def turn_wheel(page: Page) -> None:
    page.mouse.wheel(0, 30)


def press_key(page: Page) -> None:
    page.keyboard.press("Shift")


def touch(page: Page) -> None:
    cdp = page.context.new_cdp_session(page)
    cdp.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": 250, "y": 20}]})
    cdp.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def compose(page: Page) -> None:
    """Write a word with an input method."""
    page.focus("#text")
    cdp = page.context.new_cdp_session(page)
    cdp.send("Input.imeSetComposition", {"text": "に", "selectionStart": 1, "selectionEnd": 1})
    cdp.send("Input.insertText", {"text": "日本"})


def speak(page: Page) -> None:
    """Have text come without a key: speech, a pasting menu and the browser's filling-in all end in an `input` event."""
    page.focus("#plain")
    page.context.new_cdp_session(page).send("Input.insertText", {"text": "spoken"})


class TestWhatCounts:
    @pytest.mark.parametrize(
        "act",
        [move_mouse, turn_wheel, press_key, touch, compose, speak],
    )
    def test_input_of_every_kind(self, act: Callable[[Page], None], quiet: tuple[Page, Wire]):
        page, wire = quiet
        act(page)
        assert acted(page, wire)

    def test_a_finger_that_drags_on_and_on(self, quiet: tuple[Page, Wire]):
        page, wire = quiet
        cdp = page.context.new_cdp_session(page)
        cdp.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": 250, "y": 200}]})
        page.wait_for_timeout(1200)
        wire.clear()
        for step in range(4):
            cdp.send(
                "Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": 250, "y": 180 - step * 20}]}
            )
        assert acted(page, wire)
        cdp.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    @pytest.mark.parametrize("type_", ["mousePressed", "mouseMoved"])
    def test_pen(self, type_: str, quiet: tuple[Page, Wire]):
        page, wire = quiet
        cdp = page.context.new_cdp_session(page)
        pen(cdp, "mouseMoved", 330, 20)
        settle(page, wire)
        pen(cdp, type_, 340, 20)
        assert acted(page, wire)
        pen(cdp, "mouseReleased", 340, 20)

    def test_something_dropped_from_outside(self, quiet: tuple[Page, Wire]):
        page, wire = quiet
        cdp = page.context.new_cdp_session(page)
        data = {"items": [{"mimeType": "text/plain", "data": "from elsewhere"}], "dragOperationsMask": 1}
        box = page.locator("#target").bounding_box()
        assert box is not None
        for type_ in ("dragEnter", "dragOver", "drop"):
            place = {"x": box["x"] + 5, "y": box["y"] + 5, "data": data}
            cdp.send("Input.dispatchDragEvent", {"type": type_, **place})
        expect(page.locator("#target")).to_have_text("Dropped")
        assert acted(page, wire)

    def test_typing_in_a_shadow(self, quiet: tuple[Page, Wire]):
        page, wire = quiet
        page.locator("#host input").focus()
        page.keyboard.press("a")
        assert acted(page, wire)
        settle(page, wire)
        page.evaluate("window.focusClosed()")
        page.keyboard.press("a")
        assert acted(page, wire)

    @pytest.mark.parametrize("name", EDITORS)
    def test_typing_in_an_editor_in_a_frame(self, name: str, quiet: tuple[Page, Wire]):
        page, wire = quiet
        page.evaluate("async name => { (await window.editors[name]()).focus(); }", name)
        page.wait_for_timeout(100)
        wire.clear()
        page.keyboard.press("a")
        assert acted(page, wire)
        page.evaluate("document.getElementById('frames').replaceChildren()")


class TestWhatDoesNot:
    def test_a_page_that_scrolls_itself(self, quiet: tuple[Page, Wire]):
        page, wire = quiet
        page.wait_for_timeout(SCROLL_AFTER * 1000)
        wire.clear()
        page.evaluate("window.scrollByItself()")
        assert not acted(page, wire)
        page.keyboard.press("Shift")
        # Scrolling counts for a second after that, and no longer.
        wait_for(page, lambda: len(wire.of("activity")) > 2)
        page.wait_for_timeout((SCROLL_AFTER + HEARTBEAT) * 1000)
        wire.clear()
        assert not acted(page, wire)

    def test_a_mouse_that_rests_while_the_page_moves_below_it(self, quiet: tuple[Page, Wire]):
        page, wire = quiet
        box = page.locator("#mover").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 20, box["y"] + 20)
        settle(page, wire)
        page.evaluate("window.moveByItself()")
        page.wait_for_timeout(500)
        # Some browsers say it again that the mouse is where it was.
        page.mouse.move(box["x"] + 20, box["y"] + 20)
        assert not acted(page, wire)

    def test_a_frame_of_another_origin_does_no_harm(self, quiet: tuple[Page, Wire], site: Server):
        page, wire = quiet
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        address = f"http://localhost:{site.port}/life/open/"
        page.evaluate(
            "address => { document.getElementById('frames').innerHTML = `<iframe src='${address}'>`; }", address
        )
        expect(page.frame_locator("iframe").locator("h1")).to_have_text("Elsewhere")
        page.frame_locator("iframe").locator("input").focus()
        page.keyboard.press("a")
        assert not acted(page, wire)
        page.evaluate("document.getElementById('frames').replaceChildren()")
        page.mouse.click(300, 10)
        assert acted(page, wire)
        assert errors == []

    @pytest.mark.rule("R5")
    def test_a_page_that_scrolls_itself_idles_out(self, context: BrowserContext, site: Server):
        page, _ = visit(context, site.url(PAGE), SHORT)
        page.evaluate("window.scrollByItself()")
        page.evaluate("setInterval(window.pretend, 200)")
        expect(page).to_have_url(re.compile("/accounts/login/"), timeout=12_000)
        expect(page.get_by_text("because of inactivity")).to_be_visible()


class TestWhen:
    def test_what_is_held_goes_out_when_the_page_goes(self, context: BrowserContext, site: Server):
        page, wire = visit(context, site.url(PAGE), CALM | {"HEARTBEAT": 12})
        other, _ = visit(context, site.url("/life/light/"))
        page.keyboard.press("Shift")
        wait_for(page, lambda: wire.of("activity"))
        page.wait_for_timeout(3000)
        page.keyboard.press("Control")
        page.wait_for_timeout(100)
        assert len(wire.of("activity")) == 1
        page.close()
        other.wait_for_timeout(200)
        remaining = other.request.get(site.url("/idlewatch/state/")).json()["remaining"]
        assert remaining > 60 - 2.5


class TestHolds:
    @pytest.mark.parametrize(("element", "label"), [("audio", "A lecture"), ("video", "Playing media")])
    def test_what_plays_holds_and_what_is_paused_does_not(
        self, element: str, label: str, context: BrowserContext, site: Server
    ):
        page, wire = visit(context, site.url("/life/media/"), CALM)
        page.evaluate("document.querySelector('#unmarked').play()")
        page.evaluate(f"document.querySelector('{element}').play()")
        until(page, "window.idlewatch.state.held")
        assert [hold["label"] for hold in wire.of("hold")] == [label]
        page.evaluate(f"document.querySelector('{element}').pause()")
        until(page, "!window.idlewatch.state.held")
        assert [release["id"] for release in wire.of("release")] == [hold["id"] for hold in wire.of("hold")]


def pen(cdp: CDPSession, type_: str, x: float, y: float) -> None:
    button = {"button": "left", "clickCount": 1} if type_ != "mouseMoved" else {}
    cdp.send("Input.dispatchMouseEvent", {"type": type_, "x": x, "y": y, "pointerType": "pen", **button})
