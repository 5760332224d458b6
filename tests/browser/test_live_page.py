"""The live page with a played server: every state, by keyboard, on narrow screens, for assistive technology."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect

from tests.browser import played_live
from tests.browser.operators import (
    RELAXED,
    SOON,
    act,
    add_users,
    cell,
    enter,
    focus_elsewhere,
    look,
    row,
    rows,
    users,
    watch,
)
from tests.browser.played_live import PlayedServer, line, present
from tests.browser.played_tab import violations, with_axe
from tests.browser.test_accessibility import VARIANTS
from tests.support.browsing import sign_in
from tests.support.serving import Server
from tests.tools import screenshots

pytestmark = [
    pytest.mark.server,
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.usefixtures("closed_windows"),
]


@pytest.fixture(scope="module")
def server(site: Server) -> Server:
    """The site, with those who watch it."""
    add_users(site, "ada", "grace")
    return site


@pytest.fixture(scope="module")
def admin(browser: Browser, server: Server) -> StorageState:
    """The cookies of an operator's session that lasts longer than the tests."""
    context = browser.new_context()
    sign_in(context.new_page(), server.url("/"), "admin")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def visited(browser: Browser, server: Server, admin: StorageState) -> tuple[Page, PlayedServer]:
    return played_live.visit(browser.new_context(storage_state=admin), server)


def top_of_the_table(page: Page) -> float:
    """Pixels from the top of the document, wherever it is scrolled to."""
    where = "document.querySelector('[data-idlewatch-part=table]').getBoundingClientRect().top + window.scrollY"
    return float(page.evaluate(where))


@pytest.fixture(params=VARIANTS)
def any_context(request: pytest.FixtureRequest, browser: Browser) -> BrowserContext:
    return browser.new_context(**screenshots.VARIANTS[request.param])


class TestAccessibility:
    @pytest.mark.rule("R34")
    def test_axe_has_nothing_against_it(self, any_context: BrowserContext, browser: Browser, server: Server):
        enter(browser, server, "grace", limits="IDLE_TIMEOUT:60|WARN_BEFORE:58")
        page = look(with_axe(any_context), server)
        expect(row(page, "grace").first).to_have_attribute("data-phase", "warned", timeout=10_000)
        assert violations(page) == []
        page.locator("[data-idlewatch-part=select-page]").check()
        assert violations(page) == []
        act(page, "notice")
        assert violations(page) == []

    def test_nor_against_any_other_state(self, any_context: BrowserContext, server: Server, admin: StorageState):
        found = {}
        any_context.add_cookies(admin["cookies"])
        page, played = played_live.visit(with_axe(any_context), server)
        for state in played_live.LIVE_STATES:
            if played.closed:
                page, played = played_live.visit(any_context, server)
            played.reset()
            state(page, played)
            found[state.__name__] = violations(page)
        assert {name: against for name, against in found.items() if against} == {}

    @pytest.mark.usefixtures("console")
    def test_no_state_violates_the_policy(self, context: BrowserContext, server: Server, admin: StorageState):
        context.add_cookies(admin["cookies"])
        for state in played_live.LIVE_STATES:
            page, played = played_live.visit(context, server)
            state(page, played)
            page.close()

    def test_no_word_is_wider_than_a_narrow_window(self, browser: Browser, server: Server):
        enter(browser, server, "ada", limits=RELAXED)
        page = watch(browser, server, query="?q=ada", viewport={"width": 320, "height": 640})
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        cell(page, "ada", "check").check(timeout=SOON)
        assert page.locator(".live-table thead [data-sort=user] button").is_visible()

    def test_all_of_it_is_done_by_keyboard(self, browser: Browser, server: Server):
        enter(browser, server, "ada", limits=RELAXED)
        page = watch(browser, server, query="?q=ada")
        page.focus("[data-idlewatch-part=select-page]")
        page.keyboard.press("Space")
        page.focus("[data-action=end]")
        page.keyboard.press("Enter")
        expect(page.locator("[data-idlewatch-part=cancel]")).to_be_focused()
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        expect(page.locator("[data-idlewatch-part=close]")).to_be_focused(timeout=10_000)
        page.keyboard.press("Enter")
        expect(page.locator("[data-action=end]")).to_be_focused()

    def test_turning_pages_keeps_the_focus(self, visited: tuple[Page, PlayedServer]):
        page, played = visited
        played.show([line(0, played.now)], total=100)
        button = page.locator("[data-page=next]")
        button.focus()
        page.keyboard.press("Enter")
        played.wait_for_query(2)
        played.show([line(1, played.now)], total=100, page=2)
        expect(page.locator("[data-idlewatch-part=page]")).to_have_text("Page 2 of 2")
        expect(button).to_have_attribute("aria-disabled", "true")
        expect(button).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("[data-idlewatch-part=table]")).to_have_attribute("aria-busy", "false")
        page.locator("[data-page=previous]").click()
        played.wait_for_query(3)
        assert played.query == 3, "the button that leads nowhere asked for nothing"


class TestWords:
    def test_the_dialog_s_title_says_how_far_it_is(self, visited: tuple[Page, PlayedServer]):
        page, played = visited
        titles = {played_live.progress: "Ending…", played_live.result: "Done", played_live.failure: "Not finished"}
        for state, title in titles.items():
            played.reset()
            state(page, played)
            expect(page.locator(".live-dialog h2")).to_have_text(title)

    def test_a_blank_notice_is_refused_at_its_field(self, visited: tuple[Page, PlayedServer]):
        page, played = visited
        played_live.three(page, played)
        page.locator("[data-idlewatch-part=select-page]").check()
        dialog = act(page, "notice")
        area = dialog.locator("textarea")
        page.keyboard.type("   ")
        expect(dialog.locator("[data-idlewatch-part=length]")).to_have_text("0 of 500 characters")
        dialog.locator("[data-idlewatch-part=do]:visible").click()
        expect(area).to_be_focused()
        expect(area).to_have_attribute("aria-invalid", "true")
        expect(area).to_have_accessible_description(
            "Enter a message. The admin log keeps this message and its text. "
            "Tabs opened later don’t show it. 0 of 500 characters"
        )
        area.fill("👋" * 501)
        dialog.locator("[data-idlewatch-part=do]:visible").click()
        expect(dialog.locator("[data-idlewatch-part=wrong]")).to_have_text("501 of 500 characters")
        area.fill("")
        page.keyboard.type("Noon ")
        expect(area).to_have_attribute("aria-invalid", "false")
        expect(dialog.locator("[data-idlewatch-part=wrong]")).to_be_empty()
        expect(dialog.locator("[data-idlewatch-part=length]")).to_have_text("4 of 500 characters")

    def test_the_chart_s_now_is_that_of_the_counts(self, visited: tuple[Page, PlayedServer]):
        page, played = visited
        played.show([line(0, played.now)], counts={"active": 41, "warned": 7, "connected": 40})
        words = page.locator("[data-idlewatch-part=chart-words]")
        expect(words).to_contain_text("Active: 41 now, 41 at most. Warned: 7 now, 7 at most.")
        played.say({"type": "changes", "now": played.now, "counts": {"active": 42, "warned": 6, "connected": 40}})
        expect(words).to_contain_text("Active: 42 now, 42 at most. Warned: 6 now, 6 at most.")
        expect(page.locator(".live-heading").first).to_have_text("Active 42")
        assert page.locator(".live-plot svg text").count() > 6
        expect(page.get_by_role("img", name=re.compile("^The last hour"))).to_be_visible()
        page.locator("details summary").click()
        expect(page.locator("[data-idlewatch-part=chart-rows] tr").first).to_be_visible()


class TestWhatTheServerSays:
    def test_that_it_does_not_understand_is_told(self, visited: tuple[Page, PlayedServer]):
        page, played = visited
        played_live.three(page, played)
        played.say({"type": "error", "code": "bad_value", "detail": "Expected something else."})
        expect(page.locator("[data-idlewatch-part=banner]")).to_have_text(
            "The server refused the request. Reload the page."
        )

    def test_that_too_many_match_is_not_that_none_does(self, visited: tuple[Page, PlayedServer]):
        page, played = visited
        played.show([], total=0, bounded=True)
        expect(page.locator("[data-idlewatch-part=bounded]")).to_contain_text("Too many sessions match")
        expect(page.locator("[data-idlewatch-part=empty]")).to_be_hidden()


class TestAfterAnAction:
    def test_who_was_ended_is_selected_no_more_and_the_order_goes_on(self, visited: tuple[Page, PlayedServer]):
        page, played = visited
        played_live.outcome(page, played)
        expect(page.locator("[data-idlewatch-part=selected]")).to_have_text("0 sessions selected")
        expect(page.locator("[data-action=end]")).to_be_focused()
        focus_elsewhere(page)
        played.say({"type": "changes", "now": played.now, "order": ["session00007"]})
        expect(rows(page)).to_have_count(1)
        assert users(page) == ["alan.turing@example.org"]

    def test_a_notice_leaves_the_selection(self, visited: tuple[Page, PlayedServer]):
        page, played = visited
        played_live.notice(page, played)
        played.acting({"done": 20, "own": 0, "tabs": {"reached": 3, "open": 4}, "cursor": None})
        page.locator("[data-idlewatch-part=do]:visible").click()
        expect(page.locator("[data-idlewatch-part=outcome]")).to_have_text("The message reached 3 of 4 open tabs.")
        expect(page.locator("[data-idlewatch-part=selected]")).to_have_text("20 sessions selected")

    def test_the_table_stands_still(self, visited: tuple[Page, PlayedServer]):
        page, played = visited
        played_live.three(page, played)
        before = top_of_the_table(page)
        played_live.waiting(page, played)
        assert abs(top_of_the_table(page) - before) < 1
        act(page, "end")
        played.acting({"done": 1, "own": 0, "cursor": None})
        page.locator("[data-idlewatch-part=do]:visible").click()
        page.locator("[data-idlewatch-part=close]").click()
        expect(page.locator("[data-idlewatch-part=outcome]")).to_have_text("1 session ended.")
        assert abs(top_of_the_table(page) - before) < 1


@pytest.mark.parametrize("hand", ["hover", "focus", "selection"])
def test_the_order_is_paused_under_the_hand(hand: str, visited: tuple[Page, PlayedServer]):
    page, played = visited
    ada, grace = (line(number, played.now, user=name) for number, name in enumerate(("ada", "grace")))
    waiting = page.locator("[data-idlewatch-part=waiting]")
    played.show([grace])
    if hand == "hover":
        row(page, "grace").hover()
    elif hand == "focus":
        cell(page, "grace", "record").focus()
    else:
        cell(page, "grace", "check").check()
        focus_elsewhere(page)
    played.say({"type": "changes", "now": played.now, "rows": {ada["id"]: ada}, "order": [ada["id"], grace["id"]]})
    expect(waiting).to_have_text("1 change, show")
    assert users(page) == ["grace"]
    if hand == "focus":
        focus_elsewhere(page)
    else:
        waiting.click()
    expect(waiting).to_be_hidden()
    assert users(page) == ["ada", "grace"]
    # A row whose session ends is marked in its place, and goes when the hand does.
    if hand == "hover":
        row(page, "ada").hover()
    elif hand == "focus":
        cell(page, "ada", "record").focus()
    played.say({"type": "changes", "now": played.now, "order": [grace["id"]]})
    expect(cell(page, "ada", "phase")).to_have_text("Ended")
    assert users(page) == ["ada", "grace"]
    if hand == "selection":
        cell(page, "grace", "check").uncheck()
    focus_elsewhere(page)
    expect(row(page, "ada")).to_have_count(0)


class TestThePresentSession:
    def test_it_alone_can_t_be_selected(self, visited: tuple[Page, PlayedServer]):
        page, played = visited
        mine = [
            line(0, played.now, id=present(page), user="admin", mine=True),
            line(1, played.now, user="admin", mine=True),
        ]
        played.show([*mine, line(2, played.now)], total=3)
        page.locator("[data-idlewatch-part=select-page]").check()
        expect(page.locator("[data-idlewatch-part=selected]")).to_have_text("2 sessions selected")
        expect(page.locator("[data-idlewatch-part=select-all]")).to_be_hidden()
        boxes = page.locator("[data-cell=check]")
        assert [boxes.nth(place).is_checked() for place in range(3)] == [False, True, True]
        assert [boxes.nth(place).is_disabled() for place in range(3)] == [True, False, False]
        expect(page.locator("[data-cell=mine]:visible")).to_have_count(2)


@pytest.mark.parametrize("width", [320, 600, 800, 1024, 1120, 1280])
def test_nothing_is_cut_off_beside_the_admin_s_own_bar(width: int, visited: tuple[Page, PlayedServer]):
    page, played = visited
    page.set_viewport_size({"width": width, "height": 800})
    played_live.many(page, played)
    for part in (".live-overview", ".live-results", "html"):
        wide, room = page.locator(part).evaluate("element => [element.scrollWidth, element.clientWidth]")
        assert wide <= room, part
    chart = page.locator(".live-chart").bounding_box()
    for box in [each.bounding_box() for each in page.locator(".live-count").all()]:
        assert chart is not None
        assert box is not None
        assert chart["x"] >= box["x"] + box["width"] or chart["y"] >= box["y"] + box["height"]
