"""The warning on every kind of page: whatever stands open, however it is styled, however small the screen."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.played_tab import (
    ENDED,
    LAST,
    LIMIT,
    WARNED,
    Played,
    dialog,
    finish_animations,
    overlay,
    part,
    stay,
)
from tests.browser.visits import wait_for
from tests.support.browsing import until

pytestmark = [pytest.mark.server, pytest.mark.browser]

NOTICE = {"type": "notice", "id": "noon", "text": "The site goes down at noon."}
FOCUSED = "document.activeElement.id"
NARROW = {"width": 320, "height": 640}
ZOOMED = {"width": 320, "height": 256}
"""A screen of 1280 by 1024 at 400 % (WCAG 1.4.10)."""


def warn(page: Page, played: Played) -> None:
    played.say(WARNED)
    expect(stay(page)).to_be_focused()


def within(page: Page, locator: Locator) -> bool:
    """Return whether an element lies in the window, and is what the mouse meets there."""
    return locator.evaluate(
        """element => {
          const { left, top, right, bottom } = element.getBoundingClientRect();
          const inside = left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight;
          const at = element.getRootNode().elementFromPoint((left + right) / 2, (top + bottom) / 2);
          return inside && (at === element || element.contains(at));
        }"""
    )


class TestDialog:
    @pytest.mark.rule("R34")
    def test_it_keeps_the_focus_and_gives_it_back_with_the_selection(self, visited):
        page, played = visited
        page.fill("[name=subject]", "half a subject")
        page.evaluate("document.querySelector('[name=subject]').setSelectionRange(5, 6)")
        warn(page, played)
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Sign out now")).to_be_focused()
        page.keyboard.press("Shift+Tab")
        expect(stay(page)).to_be_focused()
        for _ in range(4):
            page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.className") in {"idlewatch", ""}, "the focus left the dialog"
        page.keyboard.press("Escape")
        expect(dialog(page)).to_be_hidden()
        page.keyboard.type("the")
        assert page.input_value("[name=subject]") == "half the subject"

    @pytest.mark.rule("R30")
    def test_it_can_be_answered_ten_times(self, visited):
        page, played = visited
        for _ in range(10):
            warn(page, played)
            page.keyboard.press("Enter")
            expect(dialog(page)).to_be_hidden()

    def test_it_gives_the_focus_back_to_an_editor_in_a_frame(self, open_page):
        page, played = open_page("frame=1")
        text = page.frame_locator("iframe").locator("textarea")
        text.press_sequentially("ab")
        warn(page, played)
        page.keyboard.press("Escape")
        expect(dialog(page)).to_be_hidden()
        page.keyboard.type("c")
        expect(text).to_have_value("abc")

    @pytest.mark.rule("R34")
    def test_escape_does_not_make_it_go_before_the_server_agrees_however_often_it_is_pressed(self, visited):
        page, played = visited
        warn(page, played)
        played.fall_silent()
        # More of them might outlast the time that the server has to answer.
        stay(page).evaluate(
            "button => button.closest('dialog').addEventListener('close', () => (window.dialogClosed = true))"
        )
        for times in (1, 2):
            page.keyboard.press("Escape")
            wait_for(page, lambda times=times: played.received.count("extend") == times)
        expect(stay(page)).to_be_focused()
        assert not page.evaluate("window.dialogClosed"), "while it is closed, Escape is lost"

    def test_a_gesture_that_closes_it_asks_to_stay_too(self, visited):
        page, played = visited
        warn(page, played)
        played.fall_silent()
        stay(page).evaluate("button => button.closest('dialog').close()")
        wait_for(page, lambda: played.received == ["extend"])
        expect(stay(page)).to_be_focused()

    def test_the_last_seconds_stand_out(self, visited):
        page, played = visited
        colour = "element => getComputedStyle(element).color"
        played.say(WARNED)
        calm = part(page, "countdown").first.evaluate(colour)
        played.say(LAST)
        expect(dialog(page)).to_have_attribute("data-idlewatch-last", "")
        assert part(page, "countdown").first.evaluate(colour) != calm
        played.say(WARNED)
        expect(dialog(page)).not_to_have_attribute("data-idlewatch-last", "")


class TestPagesOwnDialogs:
    def test_it_comes_above_an_open_modal_dialog_and_gives_the_focus_back_into_it(self, visited):
        page, played = visited
        page.click("#open")
        page.focus("#inside")
        warn(page, played)
        assert within(page, stay(page))
        stay(page).click()
        expect(dialog(page)).to_be_hidden()
        assert page.evaluate(FOCUSED) == "inside"
        assert page.evaluate("document.querySelector('#first').matches(':modal')")
        assert page.evaluate("window.toggled") == 0

    def test_it_comes_above_again_when_one_opens_while_it_stands(self, visited):
        page, played = visited
        page.focus("textarea")
        warn(page, played)
        page.evaluate("document.querySelector('#first').showModal()")
        expect(stay(page)).to_be_focused()
        assert within(page, stay(page))
        assert "extend" not in played.received
        stay(page).click()
        expect(dialog(page)).to_be_hidden()
        assert page.evaluate(FOCUSED) == "inside"
        page.keyboard.type("usable")
        assert page.input_value("#inside") == "usable"

    def test_one_that_comes_and_goes_meanwhile_loses_no_focus(self, visited):
        page, played = visited
        page.focus("textarea")
        warn(page, played)
        page.evaluate("document.querySelector('#first').showModal()")
        expect(stay(page)).to_be_focused()
        page.evaluate("document.querySelector('#first').close()")
        stay(page).click()
        expect(dialog(page)).to_be_hidden()
        expect(page.locator("textarea")).to_be_focused()

    @pytest.mark.parametrize("first", ["page", "notice"])
    def test_what_is_said_beside_the_content_is_usable_over_them(self, first: str, visited):
        page, played = visited
        if first == "page":
            page.click("#open")
            played.say(NOTICE)
            played.say(LIMIT)
        else:
            played.say(NOTICE)
            played.say(LIMIT)
            expect(page.get_by_text("goes down at noon")).to_be_visible()
            page.evaluate("document.querySelector('#first').showModal()")
        for name in ("The site goes down", "Your session is about"):
            alert = page.get_by_role("alert").filter(has_text=name)
            expect(alert).to_be_visible()
            assert within(page, alert)
            alert.get_by_role("button", name="Dismiss").click()
            expect(alert).to_be_hidden()
        page.fill("#inside", "usable")

    def test_what_is_said_outlives_the_dialog_it_was_said_over(self, visited):
        page, played = visited
        page.evaluate("document.querySelector('#first').showModal(), document.querySelector('#second').showModal()")
        played.say(LIMIT)
        alert = page.get_by_role("alert")
        for gone in ("#second", "#first"):
            page.evaluate(f"document.querySelector('{gone}').remove()")
            expect(alert).to_be_visible()
            assert within(page, alert)
        page.fill("textarea", "usable")

    def test_a_notice_is_usable_while_the_warning_stands(self, visited):
        page, played = visited
        played.say(WARNED)
        played.say(NOTICE)
        alert = page.get_by_role("alert").filter(has_text="goes down")
        assert within(page, alert)
        stay(page).click()
        expect(dialog(page)).to_be_hidden()
        expect(alert).to_be_visible()
        alert.get_by_role("button", name="Dismiss").click()
        expect(alert).to_be_hidden()


class TestHostilePages:
    @pytest.mark.parametrize("css", ["unset", "hostile", "moved"])
    def test_no_stylesheet_of_the_page_reaches_it(self, css: str, open_page):
        plain, calm = open_page()
        warn(plain, calm)
        page, played = open_page(f"css={css}")
        warn(page, played)
        assert within(page, stay(page))
        assert _styles(page) == _styles(plain)
        played.say(LIMIT)
        alert = page.get_by_role("alert")
        assert within(page, alert)
        played.say(ENDED)
        assert within(page, overlay(page).get_by_role("link", name="Sign in again"))
        assert page.evaluate("getComputedStyle(document.body).display") == "none"

    def test_its_direction_is_that_of_its_words(self, open_page):
        page, played = open_page("dir=rtl&lang=ar")
        played.say(WARNED)
        assert dialog(page).evaluate("element => getComputedStyle(element).direction") == "ltr"
        assert page.evaluate("document.querySelector('.idlewatch').lang") == "en"
        page.evaluate("document.querySelector('.idlewatch').dir = 'rtl'")
        title, primary = dialog(page).get_by_role("heading"), stay(page)
        right = primary.evaluate("element => element.getBoundingClientRect().right")
        assert right == pytest.approx(title.evaluate("element => element.getBoundingClientRect().right"), abs=2)

    def test_a_page_that_replaces_its_whole_body_is_warned(self, visited):
        page, played = visited
        replace = "document.body.replaceWith(document.createElement('body'))"
        page.evaluate(replace)
        warn(page, played)
        page.evaluate(replace)
        page.evaluate("document.documentElement.lastElementChild.remove()")
        expect(stay(page)).to_be_visible(timeout=3000)
        stay(page).click()
        expect(dialog(page)).to_be_hidden()

    def test_its_parts_can_be_styled(self, visited):
        page, played = visited
        page.evaluate("""() => {
          const sheet = new CSSStyleSheet();
          sheet.replaceSync(
            ":root { --idlewatch-accent: rgb(1, 2, 3) } .idlewatch::part(title) { letter-spacing: 7px }"
          );
          document.adoptedStyleSheets.push(sheet);
        }""")
        played.say(WARNED)
        assert stay(page).evaluate("element => getComputedStyle(element).backgroundColor") == "rgb(1, 2, 3)"
        assert dialog(page).get_by_role("heading").evaluate("e => getComputedStyle(e).letterSpacing") == "7px"


@pytest.mark.parametrize("size", [NARROW, ZOOMED], ids=["320px", "400%"])
def test_everything_fits_a_small_screen_or_can_be_scrolled_to(size: dict[str, int], visited):
    page, played = visited
    page.set_viewport_size(size)
    page.fill("textarea", "half a letter")
    warn(page, played)
    assert within(page, stay(page)), "without scrolling first"
    for name in ("Stay signed in", "Sign out now"):
        button = page.get_by_role("button", name=name)
        button.focus()
        assert within(page, button)
    heading = dialog(page).get_by_role("heading")
    heading.scroll_into_view_if_needed()
    assert within(page, heading)
    assert dialog(page).evaluate("element => element.scrollWidth <= element.clientWidth")
    stay(page).click()
    expect(dialog(page)).to_be_hidden()
    played.say(LIMIT)
    played.say(NOTICE)
    for left in (1, 0):
        page.get_by_role("button", name="Dismiss").first.click()
        expect(page.get_by_role("alert")).to_have_count(left)
    played.say(ENDED)
    for name in ("Sign in again", "Leave without saving"):
        link = overlay(page).get_by_role("link", name=name)
        link.scroll_into_view_if_needed()
        assert within(page, link)
    assert page.evaluate("document.documentElement.scrollWidth") == size["width"]


class TestPreferences:
    def test_nothing_moves_with_reduced_motion(self, visited):
        page, played = visited
        moves = """dialog => [dialog, ...dialog.querySelectorAll("*")].map((element) => {
          const { animationName, transitionDuration } = getComputedStyle(element);
          return animationName + " " + transitionDuration;
        }).filter((motion) => motion !== "none 0s")"""
        warn(page, played)
        assert dialog(page).evaluate(moves) != []
        page.emulate_media(reduced_motion="reduce")
        assert dialog(page).evaluate(moves) == []

    def test_forced_colours_leave_edges_and_the_focus(self, visited):
        page, played = visited
        page.emulate_media(forced_colors="active")
        warn(page, played)
        style = stay(page).evaluate(
            "e => (s => [s.borderTopWidth, s.borderTopStyle, s.outlineStyle, s.outlineWidth])(getComputedStyle(e))"
        )
        assert style == ["3px", "solid", "solid", "3px"]
        long = part(page, "line").screenshot(animations="disabled")
        played.say(WARNED | {"remaining": 30})
        until(page, "window.idlewatch.state.remaining < 31")
        assert part(page, "line").screenshot(animations="disabled") != long, "the line can be told from its ground"

    def test_dark_follows_the_page(self, visited):
        page, played = visited
        colour = "element => getComputedStyle(element).backgroundColor"
        played.say(WARNED)
        assert dialog(page).evaluate(colour) == "rgb(255, 255, 255)"
        page.emulate_media(color_scheme="dark")
        assert dialog(page).evaluate(colour) != "rgb(255, 255, 255)"
        page.evaluate("""() => {
          const sheet = new CSSStyleSheet();
          sheet.replaceSync(":root { color-scheme: light }");
          document.adoptedStyleSheets.push(sheet);
        }""")
        assert dialog(page).evaluate(colour) == "rgb(255, 255, 255)"

    def test_none_of_it_is_printed(self, visited):
        page, played = visited
        warn(page, played)
        page.emulate_media(media="print")
        expect(dialog(page)).to_be_hidden()
        expect(page.locator("#secret")).to_be_visible()
        page.emulate_media(media="screen")
        played.say(LIMIT)
        expect(page.get_by_role("alert")).to_be_visible()
        page.emulate_media(media="print")
        expect(part(page, "alert").first).to_be_hidden()


def test_the_limit_is_announced_beside_the_content_and_blocks_nothing(visited):
    page, played = visited
    played.say(LIMIT | {"remaining": 31.5})
    alert = page.get_by_role("alert")
    expect(alert).to_be_visible()
    page.fill("textarea", "goes on")
    at = page.evaluate("document.elementFromPoint(20, innerHeight - 40).className")
    assert at != "idlewatch", "clicks beside it reach the page"
    announcement = alert.locator("[data-idlewatch-part=announcement]")
    expect(announcement).to_be_empty()
    expect(announcement).to_have_text("30 seconds left.", timeout=4000)
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Sign in again").click()
    assert opened.value.evaluate("window.name") == "idlewatch-sign-in"
    assert "next=/idlewatch/signed-in/" in opened.value.url
    page.focus("textarea")
    page.get_by_role("button", name="Dismiss").focus()
    page.keyboard.press("Enter")
    expect(alert).to_have_count(0)
    expect(page.locator("textarea")).to_be_focused()


def _styles(page: Page) -> list[list[str]]:
    """Return what a stylesheet of the page might change in the dialog."""
    finish_animations(page)
    return dialog(page).evaluate("""dialog => [dialog, ...dialog.querySelectorAll("*")].map((element) => {
      const { x, y, width, height } = element.getBoundingClientRect();
      const { color, backgroundColor, fontSize, fontFamily, display, opacity, cursor } = getComputedStyle(element);
      const box = [x, y, width, height].map(Math.round).join(" ");
      return [element.className, box, color, backgroundColor, fontSize, fontFamily, display, opacity, cursor];
    }).filter(([name]) => !/countdown/.test(name))""")
