"""The warning on every kind of page: whatever stands open, however it is styled, however small the screen."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.looks import ENDED, LAST, LIMIT, WARNED, Played, cover, dialog, part, stay

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
    """Whether something lies in the window, and is what the mouse meets there."""
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
    def test_it_takes_the_focus_and_gives_it_back_with_the_selection(self, looked_at):
        page, played = looked_at
        page.fill("[name=subject]", "half a subject")
        page.evaluate("document.querySelector('[name=subject]').setSelectionRange(5, 6)")
        warn(page, played)
        for _ in range(4):
            page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.className") in {"idlewatch", ""}, "the focus left the dialog"
        page.keyboard.press("Escape")
        expect(dialog(page)).to_be_hidden()
        page.keyboard.type("the")
        assert page.input_value("[name=subject]") == "half the subject"

    @pytest.mark.rule("R30")
    def test_it_can_be_answered_ten_times(self, looked_at):
        page, played = looked_at
        for _ in range(10):
            played.say(WARNED)
            stay(page).click()
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
    def test_escape_pressed_twice_does_not_make_it_go_before_the_server_agrees(self, looked_at):
        page, played = looked_at
        warn(page, played)
        played.fall_silent()
        for _ in range(3):
            page.keyboard.press("Escape")
            page.wait_for_timeout(50)
        expect(dialog(page)).to_be_visible()
        expect(stay(page)).to_be_focused()

    def test_the_last_seconds_stand_out(self, looked_at):
        page, played = looked_at
        colour = "element => getComputedStyle(element).color"
        played.say(WARNED)
        calm = part(page, "countdown").first.evaluate(colour)
        played.say(LAST)
        expect(dialog(page)).to_have_attribute("data-idlewatch-last", "")
        assert part(page, "countdown").first.evaluate(colour) != calm
        played.say(WARNED)
        expect(dialog(page)).not_to_have_attribute("data-idlewatch-last", "")


class TestPagesOwnDialogs:
    def test_it_comes_above_an_open_modal_dialog_and_gives_the_focus_back_into_it(self, looked_at):
        page, played = looked_at
        page.click("#open")
        page.focus("#inside")
        warn(page, played)
        assert within(page, stay(page))
        stay(page).click()
        expect(dialog(page)).to_be_hidden()
        assert page.evaluate(FOCUSED) == "inside"
        assert page.evaluate("document.querySelector('#first').matches(':modal')")
        assert page.evaluate("window.toggled") == 0

    def test_it_comes_above_again_when_one_opens_while_it_stands(self, looked_at):
        page, played = looked_at
        page.focus("textarea")
        warn(page, played)
        page.evaluate("document.querySelector('#first').showModal()")
        expect(stay(page)).to_be_focused()
        assert within(page, stay(page))
        assert "extend" not in played.heard
        stay(page).click()
        expect(dialog(page)).to_be_hidden()
        assert page.evaluate(FOCUSED) == "inside"
        page.keyboard.type("usable")
        assert page.input_value("#inside") == "usable"

    def test_one_that_comes_and_goes_meanwhile_loses_no_focus(self, looked_at):
        page, played = looked_at
        page.focus("textarea")
        warn(page, played)
        page.evaluate("document.querySelector('#first').showModal()")
        expect(stay(page)).to_be_focused()
        page.evaluate("document.querySelector('#first').close()")
        stay(page).click()
        expect(dialog(page)).to_be_hidden()
        expect(page.locator("textarea")).to_be_focused()

    @pytest.mark.parametrize("first", ["page", "notice"])
    def test_what_is_said_beside_the_content_is_usable_over_them(self, first: str, looked_at):
        page, played = looked_at
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

    def test_what_is_said_outlives_the_dialog_it_was_said_over(self, looked_at):
        page, played = looked_at
        page.evaluate("document.querySelector('#first').showModal(), document.querySelector('#second').showModal()")
        played.say(LIMIT)
        alert = page.get_by_role("alert")
        for gone in ("#second", "#first"):
            page.evaluate(f"document.querySelector('{gone}').remove()")
            expect(alert).to_be_visible()
            assert within(page, alert)
        page.fill("textarea", "usable")

    def test_a_notice_is_usable_while_the_warning_stands(self, looked_at):
        page, played = looked_at
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
        calm.say(WARNED)
        expect(stay(plain)).to_be_focused()
        plain.wait_for_timeout(300)
        wanted = _looks(plain)
        page, played = open_page(f"css={css}")
        warn(page, played)
        assert within(page, stay(page))
        page.wait_for_timeout(300)
        assert _looks(page) == wanted
        played.say(LIMIT)
        alert = page.get_by_role("alert")
        assert within(page, alert)
        played.say(ENDED)
        assert within(page, cover(page).get_by_role("link", name="Sign in again"))
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

    def test_a_page_that_replaces_its_whole_body_is_warned(self, looked_at):
        page, played = looked_at
        replace = "document.body.replaceWith(document.createElement('body'))"
        page.evaluate(replace)
        warn(page, played)
        page.evaluate(replace)
        page.evaluate("document.documentElement.lastElementChild.remove()")
        expect(stay(page)).to_be_visible(timeout=3000)
        stay(page).click()
        expect(dialog(page)).to_be_hidden()

    def test_its_parts_can_be_styled(self, looked_at):
        page, played = looked_at
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


class TestSmallScreens:
    @pytest.mark.parametrize("size", [NARROW, ZOOMED], ids=["320px", "400%"])
    def test_everything_in_it_can_be_reached(self, size: dict[str, int], looked_at):
        page, played = looked_at
        page.set_viewport_size(size)
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
        page.get_by_role("button", name="Stay signed in").click()
        expect(dialog(page)).to_be_hidden()

    @pytest.mark.parametrize("size", [NARROW, ZOOMED], ids=["320px", "400%"])
    def test_the_alert_and_the_cover_fit(self, size: dict[str, int], looked_at):
        page, played = looked_at
        page.set_viewport_size(size)
        page.fill("textarea", "half a letter")
        played.say(LIMIT)
        played.say(NOTICE)
        for left in (1, 0):
            page.get_by_role("button", name="Dismiss").first.click()
            expect(page.get_by_role("alert")).to_have_count(left)
        played.say(ENDED)
        for name in ("Sign in again", "Leave without saving"):
            link = cover(page).get_by_role("link", name=name)
            link.scroll_into_view_if_needed()
            assert within(page, link)
        assert page.evaluate("document.documentElement.scrollWidth") == size["width"]


class TestReadersWishes:
    def test_nothing_moves_for_who_wants_it_still(self, looked_at):
        page, played = looked_at
        moves = """dialog => [dialog, ...dialog.querySelectorAll("*")].map((element) => {
          const { animationName, transitionDuration } = getComputedStyle(element);
          return animationName + " " + transitionDuration;
        }).filter((motion) => motion !== "none 0s")"""
        warn(page, played)
        assert dialog(page).evaluate(moves) != []
        page.emulate_media(reduced_motion="reduce")
        assert dialog(page).evaluate(moves) == []

    def test_forced_colours_leave_edges_and_the_focus(self, looked_at):
        page, played = looked_at
        page.emulate_media(forced_colors="active")
        warn(page, played)
        style = stay(page).evaluate(
            "e => (s => [s.borderTopWidth, s.borderTopStyle, s.outlineStyle, s.outlineWidth])(getComputedStyle(e))"
        )
        assert style == ["3px", "solid", "solid", "3px"]
        long = part(page, "line").screenshot(animations="disabled")
        played.say(WARNED | {"remaining": 30})
        page.wait_for_timeout(1200)
        assert part(page, "line").screenshot(animations="disabled") != long, "the line can be told from its ground"

    def test_dark_follows_the_page(self, looked_at):
        page, played = looked_at
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

    def test_none_of_it_is_printed(self, looked_at):
        page, played = looked_at
        warn(page, played)
        page.emulate_media(media="print")
        expect(dialog(page)).to_be_hidden()
        expect(page.locator("#secret")).to_be_visible()
        page.emulate_media(media="screen")
        played.say(LIMIT)
        expect(page.get_by_role("alert")).to_be_visible()
        page.emulate_media(media="print")
        expect(part(page, "alert").first).to_be_hidden()


class TestBesideTheContent:
    def test_who_dismisses_by_the_keyboard_goes_on_where_they_were(self, looked_at):
        page, played = looked_at
        page.focus("textarea")
        played.say(LIMIT)
        page.get_by_role("button", name="Dismiss").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_count(0)
        expect(page.locator("textarea")).to_be_focused()

    def test_the_limit_blocks_nothing_and_is_spoken_at_steps(self, looked_at):
        page, played = looked_at
        played.say(LIMIT | {"remaining": 31.5})
        page.fill("textarea", "goes on")
        said = page.get_by_role("alert").locator("[data-idlewatch-part=announcement]")
        expect(said).to_be_empty()
        expect(said).to_have_text("30 seconds left.", timeout=4000)

    def test_clicks_beside_it_reach_the_page(self, looked_at):
        page, played = looked_at
        played.say(LIMIT)
        expect(page.get_by_role("alert")).to_be_visible()
        size = page.viewport_size
        at = page.evaluate(f"document.elementFromPoint(20, {size['height'] - 40}).className")
        assert at != "idlewatch"

    def test_signing_in_again_opens_beside_the_page(self, looked_at):
        page, played = looked_at
        played.say(LIMIT)
        with page.expect_popup() as opened:
            page.get_by_role("link", name="Sign in again").click()
        assert opened.value.evaluate("window.name") == "idlewatch-sign-in"
        assert "next=/idlewatch/signed-in/" in opened.value.url


def _looks(page: Page) -> list[list[str]]:
    """What of the dialog a stylesheet of the page might have changed."""
    return dialog(page).evaluate("""dialog => [dialog, ...dialog.querySelectorAll("*")].map((element) => {
      const { x, y, width, height } = element.getBoundingClientRect();
      const { color, backgroundColor, fontSize, fontFamily, display, opacity, cursor } = getComputedStyle(element);
      const box = [x, y, width, height].map(Math.round).join(" ");
      return [element.className, box, color, backgroundColor, fontSize, fontFamily, display, opacity, cursor];
    }).filter(([name]) => !/countdown/.test(name))""")
