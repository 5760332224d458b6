"""The live page, as operators meet it."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests import screenshots
from tests.browser import live_looks
from tests.browser.operators import LIVE, act, cell, confirm, enter, look, row, rows, site, users, watch
from tests.browser.test_accessibility import VARIANTS, violations, with_axe
from tests.browsing import until
from tests.serving import Server

pytestmark = [pytest.mark.server, pytest.mark.browser, pytest.mark.timeout(180)]

SOON = 4_000
"""Milliseconds in which the page shows a change: it is promised within a second, and the machine has other work."""
MANY = 10_000
RELAXED = "IDLE_TIMEOUT:600|WARN_BEFORE:20"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with site(tmp_path_factory.mktemp("operators")) as server:
        yield server


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A site on which very many are signed in."""
    with site(tmp_path_factory.mktemp("crowded"), MANY) as server:
        yield server


@pytest.fixture(autouse=True)
def alone(browser: Browser) -> Iterator[None]:
    """Leave no window open behind a test."""
    yield
    for context in browser.contexts:
        context.close()


@pytest.fixture
def operator(browser: Browser, server: Server) -> Page:
    return by_themselves(browser, server)


def by_themselves(browser: Browser, server: Server, query: str = "") -> Page:
    """Have an operator look, and wait until whoever an earlier test left behind has gone."""
    page = watch(browser, server, query=query)
    expect(rows(page)).to_have_count(1, timeout=15_000)
    return page


def ended(page: Page) -> None:
    """Wait until a tab has been told that its session is over."""
    until(page, "!window.idlewatch || window.idlewatch.state.phase === 'ended'")


def focus_elsewhere(page: Page) -> None:
    page.mouse.move(5, 5)
    page.evaluate("document.activeElement.blur()")


class TestWatching:
    def test_a_session_appears_and_leaves_by_itself(self, browser: Browser, server: Server, operator: Page):
        ada = enter(browser, server, "ada")
        expect(row(operator, "ada")).to_have_count(1, timeout=SOON)
        ada.click("button:has-text('Log out')")
        expect(row(operator, "ada")).to_have_count(0, timeout=SOON)

    def test_a_row_says_who_where_since_when_and_until_when(self, operator: Page):
        expect(cell(operator, "admin", "mine")).to_have_text("you")
        expect(cell(operator, "admin", "device")).to_contain_text("Chrome")
        expect(cell(operator, "admin", "address")).to_have_text("127.0.0.1")
        expect(cell(operator, "admin", "phase")).to_have_text("Active")
        expect(cell(operator, "admin", "ends")).to_have_text(re.compile(r"^1[45]:\d\d$"))
        expect(cell(operator, "admin", "record")).to_have_attribute(
            "href", re.compile(r"/watchedsession/[\w-]+/change/$")
        )
        expect(cell(operator, "admin", "user")).to_have_attribute(
            "href", re.compile(r"/auth/user/\?username__exact=admin$")
        )

    def test_a_phase_changes_in_place_and_the_countdown_runs(self, browser: Browser, server: Server, operator: Page):
        enter(browser, server, "grace", limits="IDLE_TIMEOUT:30|WARN_BEFORE:26")
        expect(row(operator, "grace")).to_have_attribute("data-phase", "active", timeout=SOON)
        row(operator, "grace").evaluate("element => { element.kept = true; }")
        expect(cell(operator, "grace", "phase")).to_have_text("Warned: inactivity", timeout=12_000)
        assert row(operator, "grace").evaluate("element => element.kept"), "it is the same row"
        shown = set()
        for _ in range(40):
            shown.add(cell(operator, "grace", "ends").inner_text())
            operator.wait_for_timeout(100)
        assert len(shown) >= 3
        assert all(re.fullmatch(r"0:\d\d", each) for each in shown)

    def test_a_hold_is_shown_with_its_label(self, browser: Browser, server: Server, operator: Page):
        ada = enter(browser, server, "ada", limits=RELAXED)
        ada.evaluate("window.held = window.idlewatch.hold('Uploading <b>3</b> files')")
        expect(cell(operator, "ada", "hold")).to_have_text("Uploading <b>3</b> files", timeout=SOON)
        ada.evaluate("window.held.release()")
        expect(cell(operator, "ada", "hold")).to_have_text("\N{EN DASH}", timeout=SOON)

    def test_watching_is_not_activity(self, operator: Page):
        before = operator.evaluate("window.idlewatch.state.remaining")
        operator.wait_for_timeout(3_000)
        assert operator.evaluate("window.idlewatch.state.remaining") < before - 2

    def test_the_chart_says_the_same_in_words_and_in_a_table(self, operator: Page):
        expect(operator.locator("[data-part=chart-words]")).to_contain_text("Active:", timeout=30_000)
        assert operator.locator(".live-plot svg text").count() > 6
        operator.locator("details summary").click()
        expect(operator.locator("[data-part=chart-rows] tr").first).to_be_visible()
        expect(operator.get_by_role("img", name=re.compile("^The last hour"))).to_be_visible()

    def test_who_may_only_watch_finds_nothing_to_do(self, browser: Browser, server: Server):
        page = watch(browser, server, "watcher")
        expect(row(page, "watcher")).to_have_count(1)
        assert page.locator("[data-action], .live-table input, .live-dialog").count() == 0
        assert cell(page, "watcher", "user").get_attribute("href") is None

    def test_the_policy_is_kept(self, browser: Browser, server: Server):
        context = browser.new_context()
        context.add_init_script(
            "window.broken = []; addEventListener('securitypolicyviolation', e => broken.push(e.violatedDirective));"
        )
        page = look(context, server)
        page.locator("[data-part=select-page]").check()
        act(page, "notice")
        assert page.evaluate("window.broken") == []


class TestResting:
    @pytest.mark.parametrize("hand", ["hover", "focus", "selection"])
    def test_the_order_rests_under_the_hand(self, hand: str, browser: Browser, server: Server):
        operator = by_themselves(browser, server, "?sort=user")
        target = row(operator, "admin").first
        box = target.locator("[data-cell=check]")
        if hand == "hover":
            target.hover()
        elif hand == "focus":
            target.locator("[data-cell=record]").focus()
        else:
            box.check()
            focus_elsewhere(operator)
        before = users(operator)
        enter(browser, server, "ada")
        waiting = operator.locator("[data-part=waiting]")
        expect(waiting).to_have_text("1 change, show", timeout=SOON)
        assert users(operator) == before
        if hand == "selection":
            waiting.click()
        else:
            focus_elsewhere(operator)
        expect(cell(operator, "ada", "user")).to_be_visible()
        assert users(operator) == ["ada", *before]
        expect(waiting).to_be_hidden()

    @pytest.mark.parametrize("hand", ["hover", "focus", "selection"])
    def test_who_leaves_under_the_hand_is_marked_in_place(self, hand: str, browser: Browser, server: Server):
        operator = by_themselves(browser, server, "?sort=user")
        ada = enter(browser, server, "ada")
        expect(row(operator, "ada")).to_have_count(1, timeout=SOON)
        if hand == "hover":
            row(operator, "ada").hover()
        elif hand == "focus":
            cell(operator, "ada", "record").focus()
        else:
            cell(operator, "admin", "check").check()
            focus_elsewhere(operator)
        ada.click("button:has-text('Log out')")
        expect(cell(operator, "ada", "phase")).to_have_text("Ended", timeout=SOON)
        assert users(operator) == ["ada", "admin"]
        if hand == "selection":
            cell(operator, "admin", "check").uncheck()
        focus_elsewhere(operator)
        expect(row(operator, "ada")).to_have_count(0, timeout=SOON)


class TestActing:
    def test_one_session_is_ended_and_its_tab_is_told(self, browser: Browser, server: Server, operator: Page):
        ada = enter(browser, server, "ada")
        cell(operator, "ada", "check").check(timeout=SOON)
        dialog = act(operator, "end")
        expect(dialog.locator("h2")).to_have_text("End 1 session?")
        expect(dialog.locator("[data-part=said]")).to_have_text("This concerns 1 user.")
        expect(dialog.locator("[data-part=cancel]")).to_be_focused()
        assert confirm(operator) == "1 session ended."
        expect(operator.locator("[data-part=outcome]")).to_have_text("1 session ended.")
        expect(cell(operator, "ada", "phase")).to_have_text("Ended", timeout=SOON)
        ended(ada)

    def test_called_off_nothing_happens(self, browser: Browser, server: Server, operator: Page):
        ada = enter(browser, server, "ada", limits=RELAXED)
        cell(operator, "ada", "check").check(timeout=SOON)
        act(operator, "end")
        operator.keyboard.press("Escape")
        expect(operator.locator(".live-dialog")).to_be_hidden()
        operator.wait_for_timeout(1_000)
        assert ada.evaluate("window.idlewatch.state.phase") == "active"
        assert row(operator, "ada").get_attribute("data-phase") == "active"

    def test_a_page_is_ended_but_not_the_operator_s_own_session(self, browser: Browser, server: Server, operator: Page):
        enter(browser, server, "ada")
        enter(browser, server, "grace")
        expect(row(operator, "grace")).not_to_have_count(0, timeout=SOON)
        operator.locator("[data-part=select-page]").check()
        dialog = act(operator, "end")
        expect(dialog.locator("[data-part=said]")).to_contain_text("of your own is left alone.")
        assert "1 of your own was left alone." in confirm(operator)
        expect(cell(operator, "grace", "phase")).to_have_text("Ended", timeout=SOON)
        assert row(operator, "admin").first.get_attribute("data-phase") == "active"
        operator.locator("[data-part=select-none]").click()
        focus_elsewhere(operator)
        expect(row(operator, "grace")).to_have_count(0, timeout=SOON)

    def test_all_of_a_user_are_ended(self, browser: Browser, server: Server, operator: Page):
        first, second = enter(browser, server, "ada"), enter(browser, server, "ada")
        expect(row(operator, "ada")).to_have_count(2, timeout=SOON)
        cell(operator, "ada", "check").check()
        expect(act(operator, "end_users").locator("h2")).to_have_text("End 2 sessions?")
        assert confirm(operator) == "2 sessions ended."
        ended(first)
        ended(second)

    def test_a_notice_reaches_the_tab_and_the_operator_is_told(self, browser: Browser, server: Server, operator: Page):
        ada = enter(browser, server, "ada", limits=RELAXED)
        cell(operator, "ada", "check").check(timeout=SOON)
        dialog = act(operator, "notice")
        expect(dialog.locator("textarea")).to_be_focused()
        operator.keyboard.type("Closing at <noon>.")
        expect(dialog.locator("[data-part=length]")).to_have_text("18 of 500 characters")
        assert confirm(operator) == "The notice reached 1 of 1 open tabs."
        expect(ada.locator(".idlewatch [data-idlewatch-part=text]", has_text="Closing at <noon>.")).to_be_visible()

    def test_an_empty_notice_is_not_sent(self, operator: Page):
        operator.locator("[data-part=select-page]").check()
        dialog = act(operator, "notice")
        dialog.locator("[data-part=do]:visible").click()
        expect(dialog.locator("textarea")).to_be_focused()
        expect(dialog.locator("[data-part=close]")).to_be_hidden()

    def test_a_failure_is_said_and_tried_again(self, browser: Browser, server: Server, operator: Page):
        enter(browser, server, "ada")
        cell(operator, "ada", "check").check(timeout=SOON)
        dialog = act(operator, "end")
        operator.route("**/live/act/", lambda route: route.abort())
        dialog.locator("[data-part=do]:visible").click()
        expect(dialog.locator("[data-part=trouble]")).to_have_text("The server can’t be reached.")
        operator.unroute("**/live/act/")
        dialog.locator("[data-part=again]").click()
        expect(dialog.locator("[data-part=said]")).to_have_text("1 session ended.")
        expect(dialog.locator("[data-part=trouble]")).to_be_empty()


class TestRights:
    def test_who_loses_the_right_loses_the_page(self, browser: Browser, server: Server):
        page = watch(browser, server, "watcher")
        code = "from django.contrib.auth.models import User; User.objects.get(username='watcher').user_permissions"
        server.manage("shell", "-c", f"{code}.clear()")
        try:
            expect(page.locator("[data-part=refusal]")).to_be_visible(timeout=15_000)
            assert page.locator("[data-part=content]").count() == 0
            assert "127.0.0.1" not in page.inner_text("#content")
        finally:
            right = "from django.contrib.auth.models import Permission as P"
            given = f"{code}.set([P.objects.get(codename='view_watchedsession')])"
            server.manage("shell", "-c", f"{right}; {given}")

    def test_who_logs_out_elsewhere_sees_nothing_more(self, server: Server, operator: Page):
        other = operator.context.new_page()
        other.goto(server.url("/"))
        other.click("button:has-text('Log out')")
        expect(operator).to_have_url(re.compile("/login/"), timeout=15_000)

    def test_nobody_else_gets_in(self, browser: Browser, server: Server):
        page = enter(browser, server, "ada")
        page.goto(server.url(LIVE))
        assert page.locator("#live-sessions").count() == 0


class TestConnection:
    def test_a_lost_server_is_said_and_mended(self, browser: Browser, server: Server, operator: Page):
        banner = operator.locator("[data-part=banner]")
        server.stop(signal.SIGKILL)
        expect(banner).to_contain_text("The connection to the server was lost at", timeout=15_000)
        before = cell(operator, "admin", "ends").inner_text()
        expect(cell(operator, "admin", "ends")).not_to_have_text(before)
        server.start()
        expect(banner).to_be_hidden(timeout=40_000)
        enter(browser, server, "ada")
        expect(row(operator, "ada")).to_have_count(1, timeout=SOON)

    def test_a_page_that_is_not_seen_costs_the_server_nothing(self, operator: Page):
        closed: list[str] = []
        operator.on("websocket", lambda socket: closed.append(f"new {socket.url}"))
        operator.evaluate(
            "Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true });"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )
        operator.wait_for_timeout(11_000)
        operator.evaluate("delete document.visibilityState; document.dispatchEvent(new Event('visibilitychange'))")
        operator.wait_for_timeout(1_000)
        assert any(each.endswith("/live/") for each in closed), "it was closed, and is opened again"
        expect(operator.locator("[data-part=banner]")).to_be_hidden()


class TestMany:
    def test_search_pages_and_sort_on_ten_thousand(self, browser: Browser, crowded: Server):
        page = watch(browser, crowded)
        expect(page.locator("[data-count=live]")).to_have_text("10,001")
        assert rows(page).count() == 50
        page.locator("[data-page=last]").click()
        expect(page.locator("[data-part=page]")).to_have_text("Page 201 of 201", timeout=SOON)
        expect(rows(page)).to_have_count(1)
        page.locator("[data-sort=user] button").click()
        expect(cell(page, "admin", "user")).to_be_visible(timeout=SOON)
        page.locator("[data-sort=user] button").click()
        expect(cell(page, "user0499", "user").first).to_be_visible(timeout=SOON)
        expect(page.locator("[data-sort=user]")).to_have_attribute("aria-sort", "descending")
        page.fill("#live-search", "user0042")
        expect(page.locator("[data-part=total]")).to_have_text("20 sessions", timeout=SOON)
        assert set(users(page)) == {"user0042"}
        assert parse_qs(urlsplit(page.url).query) == {"q": ["user0042"], "sort": ["-user"]}
        page.reload()
        expect(page.locator("[data-part=total]")).to_have_text("20 sessions", timeout=15_000)
        assert page.input_value("#live-search") == "user0042"
        page.locator("[data-count=connected]").click()
        expect(page.locator("[data-part=empty]")).to_have_text("No live session matches.", timeout=SOON)

    def test_all_that_match_are_ended_and_progress_is_said(self, browser: Browser, crowded: Server):
        page = watch(browser, crowded, query="?q=user01")
        expect(page.locator("[data-part=total]")).to_have_text("At least 200")
        page.locator("[data-part=select-page]").check()
        page.locator("[data-part=select-all]").click()
        expect(page.locator("[data-part=selected]")).to_have_text("All that match are selected.")
        dialog = act(page, "end")
        heading = dialog.locator("h2").inner_text()
        number = int(re.sub(r"\D", "", heading))
        assert number >= 1000
        dialog.locator("[data-part=do]:visible").click()
        progress = dialog.locator("#live-progress-words")
        expect(progress).to_have_text(re.compile(r"^[\d,]+ of 2,000$"))
        expect(dialog.locator("[data-part=close]")).to_be_visible(timeout=120_000)
        expect(dialog.locator("[data-part=said]")).to_have_text(f"{number:,} sessions ended.")

    def test_a_long_action_is_stopped_in_between(self, browser: Browser, crowded: Server):
        page = watch(browser, crowded, query="?q=user02")
        page.locator("[data-part=select-page]").check()
        page.locator("[data-part=select-all]").click()
        dialog = act(page, "end")
        dialog.locator("[data-part=do]:visible").click()
        dialog.locator("[data-part=stop]").click()
        expect(dialog.locator("[data-part=said]")).to_have_text(
            re.compile(r"^Stopped\. \d+ sessions ended\.$"), timeout=60_000
        )


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
        page.locator("[data-part=select-page]").check()
        assert violations(page) == []
        act(page, "notice")
        assert violations(page) == []

    def test_nor_against_any_other_state(self, any_context: BrowserContext, server: Server):
        found = {}
        with_axe(any_context)
        for state in live_looks.LIVE_STATES:
            page, played = live_looks.visit(any_context, server)
            state(page, played)
            found[state.__name__] = violations(page)
            page.close()
        assert {name: against for name, against in found.items() if against} == {}

    def test_no_word_is_wider_than_a_narrow_window(self, browser: Browser, server: Server):
        page = watch(browser, server, viewport={"width": 320, "height": 640})
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        cell(page, "admin", "check").check()
        assert page.locator(".live-table thead [data-sort=user] button").is_visible()

    def test_all_of_it_is_done_by_keyboard(self, browser: Browser, server: Server):
        enter(browser, server, "ada", limits=RELAXED)
        page = watch(browser, server, query="?q=ada")
        page.focus("[data-part=select-page]")
        page.keyboard.press("Space")
        page.focus("[data-action=end]")
        page.keyboard.press("Enter")
        expect(page.locator("[data-part=cancel]")).to_be_focused()
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        expect(page.locator("[data-part=close]")).to_be_focused(timeout=10_000)
        page.keyboard.press("Enter")
        expect(page.locator("[data-action=end]")).to_be_focused()
