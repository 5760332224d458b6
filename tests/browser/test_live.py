"""The operators' live page before real sessions."""

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
    row,
    rows,
    site,
    watch,
)
from tests.support.browsing import until
from tests.support.serving import Server

pytestmark = [
    pytest.mark.server,
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.usefixtures("closed_windows"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with site(tmp_path_factory.mktemp("operators")) as server:
        yield server


@pytest.fixture
def operator(browser: Browser, server: Server) -> Page:
    """An operator's page, once the sessions of earlier tests have ended."""
    page = watch(browser, server)
    try:
        expect(rows(page)).to_have_count(1, timeout=15_000)
    except AssertionError:
        # A machine that is out of breath cuts a browser off instead of closing it; its session then lasts as if lost.
        page.context.close()
        server.manage("endsessions", "--all", "--noinput")
        page = watch(browser, server)
        expect(rows(page)).to_have_count(1, timeout=15_000)
    return page


def begin_probe(server: Server, name: str) -> str:
    """Begin a probe of a user; return the key of its session."""
    steps = (
        "from django.contrib.auth.models import User",
        "from idlewatch.monitor import probes",
        "from idlewatch.process import now",
        f"user, limits = User.objects.get(username={name!r}), probes.limits(idle_timeout=110, warn_before=10)",
        "print(probes.begin(user, limits, now()).session.session_key)",
    )
    return server.manage("shell", "--no-startup", "-c", "; ".join(steps)).split()[-1]


def carry(browser: Browser, server: Server, key: str) -> Page:
    """Open a tab that has the session with this key."""
    context = browser.new_context()
    context.add_cookies([{"name": "sessionid", "value": key, "url": server.origin}])
    page = context.new_page()
    page.goto(server.url("/"))
    until(page, "window.idlewatch?.state")
    return page


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
        ends = cell(operator, "grace", "ends")
        for _ in range(2):
            before = ends.inner_text()
            assert re.fullmatch(r"0:\d\d", before)
            expect(ends).not_to_have_text(before)

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


class TestActing:
    def test_chosen_sessions_or_all_of_a_user_are_ended_and_their_tabs_told(
        self, browser: Browser, server: Server, operator: Page
    ):
        tabs = [enter(browser, server, name) for name in ("grace", "ada", "ada")]
        cell(operator, "grace", "check").check(timeout=SOON)
        dialog = act(operator, "end")
        expect(dialog.locator("h2")).to_have_text("End 1 session?")
        expect(dialog.locator("[data-idlewatch-part=said]")).to_have_text("This affects one user: \u2068grace\u2069.")
        expect(dialog.locator("[data-idlewatch-part=cancel]")).to_be_focused()
        operator.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        act(operator, "end")
        assert confirm(operator) == "1 session ended."
        expect(operator.locator("[data-idlewatch-part=outcome]")).to_have_text("1 session ended.")
        focus_elsewhere(operator)
        expect(rows(operator)).to_have_count(3, timeout=SOON)
        cell(operator, "ada", "check").check()
        expect(act(operator, "end_users").locator("h2")).to_have_text("End 2 sessions?")
        assert confirm(operator) == "2 sessions ended."
        for tab in tabs:
            until(tab, "!window.idlewatch || window.idlewatch.state.phase === 'ended'")

    def test_a_probe_of_the_site_is_named_found_ended_and_recorded(
        self, browser: Browser, server: Server, operator: Page
    ):
        tab = carry(browser, server, begin_probe(server, "grace"))
        expect(cell(operator, "grace", "device")).to_have_text("Check of this site", timeout=SOON)
        operator.fill("#live-search", "doctor")
        operator.keyboard.press("Enter")
        expect(rows(operator)).to_have_count(1, timeout=SOON)
        record = cell(operator, "grace", "record").get_attribute("href") or ""
        cell(operator, "grace", "check").check()
        act(operator, "end")
        assert confirm(operator) == "1 session ended."
        until(tab, "!window.idlewatch || window.idlewatch.state.phase === 'ended'")
        operator.goto(server.url(record))
        expect(operator.locator("main")).to_contain_text("probe:")
        expect(operator.locator("main")).to_contain_text("revoked (admin)")

    def test_a_notice_reaches_the_tab_and_the_operator_is_told(self, browser: Browser, server: Server, operator: Page):
        ada = enter(browser, server, "ada", limits=RELAXED)
        cell(operator, "ada", "check").check(timeout=SOON)
        dialog = act(operator, "notice")
        expect(dialog.locator("textarea")).to_be_focused()
        operator.keyboard.type("Closing at <noon>.")
        expect(dialog.locator("[data-idlewatch-part=length]")).to_have_text("18 of 500 characters")
        assert confirm(operator) == "The message reached 1 of 1 open tabs."
        expect(ada.locator(".idlewatch [data-idlewatch-part=text]", has_text="Closing at <noon>.")).to_be_visible()


class TestTheOperatorsEnd:
    def test_a_search_and_a_selection_are_nothing_to_lose(self, browser: Browser, server: Server):
        enter(browser, server, "ada", limits=RELAXED)
        page = watch(browser, server)
        page.fill("#live-search", "ada")
        page.locator("[data-idlewatch-part=size]").select_option("25")
        expect(page.locator("[data-idlewatch-part=total]")).to_have_text("1 session", timeout=SOON)
        cell(page, "ada", "check").check()
        sign_out_elsewhere(page, server)
        expect(page).to_have_url(re.compile("/login/"), timeout=15_000)

    def test_a_notice_that_was_begun_is_covered(self, browser: Browser, server: Server):
        enter(browser, server, "ada", limits=RELAXED)
        page = watch(browser, server, query="?q=ada")
        # The session of the test before may not have ended yet; selected, it would leave nothing to act on.
        expect(row(page, "ada")).to_have_count(1, timeout=10_000)
        cell(page, "ada", "check").check()
        act(page, "notice")
        page.keyboard.type("Closing at")
        sign_out_elsewhere(page, server)
        expect(page.get_by_role("link", name="Leave without saving")).to_be_visible(timeout=15_000)


def test_a_lost_server_is_said_and_mended(browser: Browser, server: Server, operator: Page):
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
