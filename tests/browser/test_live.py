"""The live page, as operators meet it."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.operators import (
    RELAXED,
    SOON,
    act,
    cell,
    confirm,
    enter,
    focus_elsewhere,
    look,
    row,
    rows,
    site,
    users,
    watch,
)
from tests.support.browsing import until
from tests.support.serving import Server

pytestmark = [
    pytest.mark.server,
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.usefixtures("alone"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with site(tmp_path_factory.mktemp("operators")) as server:
        yield server


@pytest.fixture
def operator(browser: Browser, server: Server) -> Page:
    return by_themselves(browser, server)


def by_themselves(browser: Browser, server: Server, query: str = "") -> Page:
    """Have an operator look, and wait until the sessions of earlier tests have ended."""
    page = watch(browser, server, query=query)
    try:
        expect(rows(page)).to_have_count(1, timeout=15_000)
    except AssertionError:
        # A machine that is out of breath cuts a browser off instead of closing it; its session then lasts as if lost.
        page.context.close()
        server.manage("endsessions", "--all", "--noinput")
        page = watch(browser, server, query=query)
        expect(rows(page)).to_have_count(1, timeout=15_000)
    return page


def ended(page: Page) -> None:
    """Wait until a tab has been told that its session is over."""
    until(page, "!window.idlewatch || window.idlewatch.state.phase === 'ended'")


def sign_out_elsewhere(page: Page, server: Server) -> None:
    other = page.context.new_page()
    other.goto(server.url("/"))
    other.click("button:text-is('Sign out')")


class TestWatching:
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

    def test_a_session_appears_shows_its_hold_and_leaves_by_itself(
        self, browser: Browser, server: Server, operator: Page
    ):
        ada = enter(browser, server, "ada", limits=RELAXED)
        ada.evaluate("window.held = window.idlewatch.hold('Uploading <b>3</b> files')")
        expect(cell(operator, "ada", "hold")).to_have_text("Uploading <b>3</b> files", timeout=SOON)
        ada.evaluate("window.held.release()")
        expect(cell(operator, "ada", "hold")).to_have_text("\N{EN DASH}", timeout=SOON)
        ada.click("button:text-is('Sign out')")
        expect(row(operator, "ada")).to_have_count(0, timeout=SOON)

    def test_watching_is_not_activity(self, operator: Page):
        before = operator.evaluate("window.idlewatch.state.remaining")
        operator.wait_for_timeout(3_000)
        assert operator.evaluate("window.idlewatch.state.remaining") < before - 2

    def test_the_chart_says_the_same_in_words_and_in_a_table(self, operator: Page):
        expect(operator.locator("[data-idlewatch-part=chart-words]")).to_contain_text("Active:", timeout=30_000)
        assert operator.locator(".live-plot svg text").count() > 6
        operator.locator("details summary").click()
        expect(operator.locator("[data-idlewatch-part=chart-rows] tr").first).to_be_visible()
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
        enter(browser, server, "ada")
        page = look(context, server)
        cell(page, "ada", "check").check(timeout=SOON)
        act(page, "notice")
        assert page.evaluate("window.broken") == []


class TestPausedOrder:
    @pytest.mark.parametrize("hand", ["hover", "focus", "selection"])
    def test_the_order_is_paused_under_the_hand(self, hand: str, browser: Browser, server: Server):
        operator = by_themselves(browser, server, "?sort=user")
        enter(browser, server, "grace", limits=RELAXED)
        target = row(operator, "grace")
        expect(target).to_have_count(1, timeout=SOON)
        if hand == "hover":
            target.hover()
        elif hand == "focus":
            target.locator("[data-cell=record]").focus()
        else:
            target.locator("[data-cell=check]").check()
            focus_elsewhere(operator)
        before = users(operator)
        ada = enter(browser, server, "ada")
        waiting = operator.locator("[data-idlewatch-part=waiting]")
        expect(waiting).to_have_text("1 change, show", timeout=SOON)
        assert users(operator) == before
        if hand == "focus":
            focus_elsewhere(operator)
        else:
            waiting.click()
        expect(cell(operator, "ada", "user")).to_be_visible()
        assert users(operator) == ["ada", *before]
        expect(waiting).to_be_hidden()
        # A row whose session ends is marked in its place, and goes when the hand does.
        if hand == "hover":
            row(operator, "ada").hover()
        elif hand == "focus":
            cell(operator, "ada", "record").focus()
        ada.click("button:text-is('Sign out')")
        expect(cell(operator, "ada", "phase")).to_have_text("Ended", timeout=SOON)
        assert users(operator) == ["ada", *before]
        if hand == "selection":
            cell(operator, "grace", "check").uncheck()
        focus_elsewhere(operator)
        expect(row(operator, "ada")).to_have_count(0, timeout=SOON)


class TestActing:
    def test_one_session_is_ended_and_its_tab_is_told(self, browser: Browser, server: Server, operator: Page):
        ada = enter(browser, server, "ada")
        cell(operator, "ada", "check").check(timeout=SOON)
        dialog = act(operator, "end")
        expect(dialog.locator("h2")).to_have_text("End 1 session?")
        expect(dialog.locator("[data-idlewatch-part=said]")).to_have_text("This affects one user: \u2068ada\u2069.")
        expect(dialog.locator("[data-idlewatch-part=cancel]")).to_be_focused()
        operator.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        act(operator, "end")
        assert confirm(operator) == "1 session ended."
        expect(operator.locator("[data-idlewatch-part=outcome]")).to_have_text("1 session ended.")
        focus_elsewhere(operator)
        expect(row(operator, "ada")).to_have_count(0, timeout=SOON)
        ended(ada)

    def test_a_page_is_ended_but_not_the_operator_s_own_session(self, browser: Browser, server: Server, operator: Page):
        enter(browser, server, "ada")
        enter(browser, server, "grace")
        expect(rows(operator)).to_have_count(3, timeout=SOON)
        expect(cell(operator, "admin", "check")).to_be_disabled()
        expect(cell(operator, "admin", "check")).to_have_accessible_description("This is your current session.")
        operator.locator("[data-idlewatch-part=select-page]").check()
        expect(act(operator, "end").locator("h2")).to_have_text("End 2 sessions?")
        assert confirm(operator) == "2 sessions ended."
        focus_elsewhere(operator)
        expect(rows(operator)).to_have_count(1, timeout=SOON)
        assert row(operator, "admin").get_attribute("data-phase") == "active"

    def test_all_of_a_user_are_ended(self, browser: Browser, server: Server, operator: Page):
        first, second = enter(browser, server, "ada"), enter(browser, server, "ada")
        expect(row(operator, "ada")).to_have_count(2, timeout=SOON)
        cell(operator, "ada", "check").check()
        dialog = act(operator, "end_users")
        expect(dialog.locator("h2")).to_have_text("End 2 sessions?")
        expect(dialog.locator("[data-idlewatch-part=said]")).to_have_text("This affects one user: \u2068ada\u2069.")
        assert confirm(operator) == "2 sessions ended."
        ended(first)
        ended(second)

    def test_a_notice_reaches_the_tab_and_the_operator_is_told(self, browser: Browser, server: Server, operator: Page):
        ada = enter(browser, server, "ada", limits=RELAXED)
        cell(operator, "ada", "check").check(timeout=SOON)
        dialog = act(operator, "notice")
        expect(dialog.locator("textarea")).to_be_focused()
        operator.keyboard.type("Closing at <noon>.")
        expect(dialog.locator("[data-idlewatch-part=length]")).to_have_text("18 of 500 characters")
        assert confirm(operator) == "The message reached 1 of 1 open tabs."
        expect(ada.locator(".idlewatch [data-idlewatch-part=text]", has_text="Closing at <noon>.")).to_be_visible()


class TestRights:
    def test_who_loses_the_right_loses_the_page(self, browser: Browser, server: Server):
        page = watch(browser, server, "watcher")
        code = "from django.contrib.auth.models import User; User.objects.get(username='watcher').user_permissions"
        server.manage("shell", "-c", f"{code}.clear()")
        try:
            expect(page.locator("[data-idlewatch-part=refusal]")).to_be_visible(timeout=15_000)
            assert page.locator("[data-idlewatch-part=content]").count() == 0
            assert "127.0.0.1" not in page.inner_text("#content")
        finally:
            right = "from django.contrib.auth.models import Permission as P"
            given = f"{code}.set([P.objects.get(codename='view_watchedsession')])"
            server.manage("shell", "-c", f"{right}; {given}")

    def test_what_was_looked_for_and_selected_is_nothing_to_lose(self, browser: Browser, server: Server):
        enter(browser, server, "ada", limits=RELAXED)
        page = watch(browser, server)
        page.fill("#live-search", "ada")
        page.locator("[data-idlewatch-part=size]").select_option("25")
        expect(page.locator("[data-idlewatch-part=total]")).to_have_text("1 session", timeout=SOON)
        cell(page, "ada", "check").check()
        sign_out_elsewhere(page, server)
        expect(page).to_have_url(re.compile("/login/"), timeout=15_000)

    def test_a_notice_that_was_begun_is(self, browser: Browser, server: Server):
        enter(browser, server, "ada", limits=RELAXED)
        page = watch(browser, server, query="?q=ada")
        # The session of the test before may not have ended yet; selected, it would leave nothing to act on.
        expect(row(page, "ada")).to_have_count(1, timeout=10_000)
        cell(page, "ada", "check").check()
        act(page, "notice")
        page.keyboard.type("Closing at")
        sign_out_elsewhere(page, server)
        expect(page.get_by_role("link", name="Leave without saving")).to_be_visible(timeout=15_000)


class TestConnection:
    def test_a_lost_server_is_said_and_mended(self, browser: Browser, server: Server, operator: Page):
        banner = operator.locator("[data-idlewatch-part=banner]")
        # The last of the file: sessions that were open then are not seen to be closed.
        server.stop(signal.SIGKILL)
        expect(banner).to_contain_text("The connection to the server was lost at", timeout=15_000)
        before = cell(operator, "admin", "ends").inner_text()
        expect(cell(operator, "admin", "ends")).not_to_have_text(before)
        server.start()
        expect(banner).to_be_hidden(timeout=40_000)
        enter(browser, server, "ada")
        expect(row(operator, "ada")).to_have_count(1, timeout=SOON)
