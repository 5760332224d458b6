"""The five requirements, as a person meets them."""

from __future__ import annotations

import re
import time
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import GRACE, IDLE, open_tab
from tests.support.browsing import sign_in, stay_covered, until
from tests.support.serving import Server

pytestmark = [pytest.mark.server, pytest.mark.browser]


@pytest.fixture(scope="module")
def browser(whole_browser: Browser) -> Browser:
    return whole_browser


SOON = IDLE * 1000 + 10_000
STAY = "Stay signed in"


def dialog(page: Page):
    return page.get_by_role("alertdialog")


def phase(page: Page) -> str:
    return page.evaluate("window.idlewatch.state.phase")


def login_url(server: Server, place: str) -> re.Pattern[str]:
    """Match the login page that leads back to `place`: Django and the client quote it each in its own way."""
    ways = "|".join(re.escape(quote(place, safe=safe)) for safe in ("/", ""))
    return re.compile(f"{re.escape(server.url('/accounts/login/?next='))}({ways})$")


class TestWarning:
    @pytest.mark.rule("R30", "R34")
    def test_it_comes_in_every_tab_and_staying_in_one_clears_all(
        self, page: Page, context: BrowserContext, server: Server
    ):
        other = open_tab(context, server.url("/"))
        for tab in (page, other):
            expect(dialog(tab)).to_be_visible(timeout=SOON)
            expect(tab.get_by_role("button", name=STAY)).to_be_focused()
        page.get_by_role("button", name=STAY).click()
        for tab in (page, other):
            expect(dialog(tab)).to_be_hidden(timeout=1000)
            assert phase(tab) == "active"

    def test_escape_means_stay(self, page: Page):
        expect(dialog(page)).to_be_visible(timeout=SOON)
        page.keyboard.press("Escape")
        expect(dialog(page)).to_be_hidden(timeout=1000)
        assert phase(page) == "active"

    @pytest.mark.rule("R30")
    def test_it_can_be_answered_ten_times(self, page: Page):
        for _ in range(10):
            expect(dialog(page)).to_be_visible(timeout=SOON)
            page.get_by_role("button", name=STAY).click()
            expect(dialog(page)).to_be_hidden(timeout=1000)

    def test_moving_the_mouse_during_it_does_not_answer_it(self, page: Page, server: Server):
        expect(dialog(page)).to_be_visible(timeout=SOON)
        for step in range(8):
            page.mouse.move(100 + step * 10, 100)
            page.wait_for_timeout(300)
        expect(page).to_have_url(login_url(server, "/"), timeout=SOON)

    @pytest.mark.rule("R42", "R10")
    def test_it_offers_to_log_out(self, page: Page, context: BrowserContext, server: Server):
        other = open_tab(context, server.url("/"))
        expect(dialog(page)).to_be_visible(timeout=SOON)
        page.get_by_role("button", name="Sign out now").click()
        expect(page).to_have_url(re.compile("/accounts/login/"))
        expect(other).to_have_url(login_url(server, "/"))


class TestEnd:
    @pytest.mark.rule("R1", "R18")
    def test_every_tab_hides_its_content_says_why_and_leads_to_the_login(
        self, page: Page, context: BrowserContext, server: Server
    ):
        other = open_tab(context, server.url("/?b=2&c=d"))
        stay_covered(other)
        expect(page).to_have_url(login_url(server, "/"), timeout=SOON)
        expect(page.get_by_text("because of inactivity")).to_be_visible()
        expect(other.get_by_text("because of inactivity")).to_be_visible()
        expect(other.get_by_text("What to try")).to_have_count(0)
        expect(other.get_by_role("link", name="Sign in again")).to_have_attribute(
            "href", re.compile(re.escape("/accounts/login/?next=%2F%3Fb%3D2%26c%3Dd"))
        )

    def test_signing_in_leads_back_to_the_page(self, page: Page, server: Server):
        page.goto(server.url("/?here=1"))
        stay_covered(page)
        page.wait_for_timeout((IDLE + 0.5) * 1000)
        page.reload()
        expect(page).to_have_url(login_url(server, "/?here=1"))
        expect(page.get_by_text("because of inactivity")).to_be_visible()
        page.fill("input[name=username]", "demo")
        page.fill("input[name=password]", "demo")
        page.click("main button[type=submit]")
        expect(page).to_have_url(server.url("/?here=1"))
        expect(page.get_by_text("because of inactivity")).to_have_count(0)

    @pytest.mark.rule("R1")
    def test_it_comes_without_any_script_in_the_page(self, browser: Browser, server: Server):
        context = browser.new_context(java_script_enabled=False)
        page = context.new_page()
        sign_in(page, server.url("/"))
        page.wait_for_timeout((IDLE + 0.5) * 1000)
        page.goto(server.url("/"))
        expect(page.get_by_text("because of inactivity")).to_be_visible()
        context.close()

    @pytest.mark.rule("R19")
    def test_going_back_shows_nothing(self, page: Page, server: Server):
        expect(page).to_have_url(login_url(server, "/"), timeout=SOON)
        page.go_back()
        expect(page.get_by_text("What to try")).to_have_count(0)

    @pytest.mark.rule("R32")
    def test_what_was_typed_stays_covered(self, page: Page):
        page.fill("textarea", "half a letter")
        page.evaluate("window.stayed = true")
        expect(page.get_by_role("link", name="Leave without saving")).to_be_visible(timeout=SOON)
        assert page.evaluate("window.stayed")
        assert "half a letter" not in page.content()

    @pytest.mark.rule("R7", "R18")
    def test_a_tab_that_lost_the_server_hides_by_its_own_clock_and_comes_back(self, page: Page, server: Server):
        page.evaluate("window.stayed = true")
        page.context.set_offline(True)
        server.stop()
        try:
            expect(page.get_by_text("What to try")).to_have_count(0, timeout=(IDLE + 4) * 1000)
        finally:
            page.context.set_offline(False)
            server.start()
        expect(page).to_have_url(re.compile("/accounts/login/"), timeout=15_000)


class TestActivity:
    @pytest.mark.rule("R3", "R33")
    def test_long_typing_without_a_request_keeps_the_session(self, page: Page):
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.locator("textarea").press_sequentially("a" * int(IDLE * 1.6 / 0.1), delay=100)
        assert phase(page) == "active"
        # The browser asks for the page's icon when it likes; a static file reaches no session.
        assert [url for url in requests if "/static/" not in url] == []

    def test_typing_in_an_editor_in_a_frame_keeps_the_session(self, page: Page, server: Server):
        page.goto(server.url("/journey/form/"))
        page.frame_locator("iframe").locator("textarea").press_sequentially("a" * int(IDLE * 1.4 / 0.1), delay=100)
        assert phase(page) == "active"

    @pytest.mark.rule("R5")
    @pytest.mark.parametrize("name", ["fetching", "htmx", "htmx4"])
    def test_a_poll_with_nothing_marked_does_not_keep_the_session(self, name: str, page: Page, server: Server):
        answers: list[int] = []
        page.on("response", lambda response: answers.append(response.status) if "answer" in response.url else None)
        page.goto(server.url(f"/journey/{name}/"))
        expect(page).to_have_url(login_url(server, f"/journey/{name}/"), timeout=SOON)
        assert answers.count(200) > 5
        expect(page.get_by_text("because of inactivity")).to_be_visible()

    def test_a_form_that_takes_longer_than_the_session_is_answered(self, page: Page, server: Server):
        page.goto(server.url("/journey/form/"))
        page.fill("input[name=field]", "value")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", name="Saved")).to_be_visible(timeout=15_000)


class TestClosing:
    def replay(self, browser: Browser, context: BrowserContext, server: Server) -> Page:
        """Come back as a browser does that restores its tabs: with the session's cookie."""
        restored = browser.new_context(storage_state=context.storage_state())
        page = restored.new_page()
        page.goto(server.url("/"))
        return page

    @pytest.mark.rule("R39")
    def test_closing_every_tab_ends_the_session(
        self, page: Page, context: BrowserContext, browser: Browser, server: Server
    ):
        other = open_tab(context, server.url("/"))
        page.close()
        other.close()
        time.sleep(GRACE + 0.7)
        restored = self.replay(browser, context, server)
        expect(restored).to_have_url(login_url(server, "/"))
        expect(restored.get_by_text("because the browser was closed")).to_be_visible()
        restored.context.close()

    def test_one_tab_that_stays_keeps_the_session(self, page: Page, context: BrowserContext, server: Server):
        open_tab(context, server.url("/")).close()
        page.wait_for_timeout((GRACE + 0.7) * 1000)
        assert phase(page) in {"active", "warned"}

    @pytest.mark.rule("R40")
    def test_reloading_again_and_again_does_not_end_it(self, page: Page):
        for _ in range(6):
            page.reload()
            page.wait_for_timeout(500)
        until(page, "window.idlewatch?.state?.phase === 'active'")

    def test_a_page_elsewhere_does_not_end_it(
        self, page: Page, context: BrowserContext, browser: Browser, server: Server
    ):
        payment = server.url("/healthz").replace("127.0.0.1", "localhost")
        page.goto(server.url(f"/journey/form/?elsewhere={payment}"))
        until(page, "window.idlewatch?.state")
        page.get_by_role("link", name="Pay").click()
        expect(page).to_have_url(payment)
        page.wait_for_timeout((GRACE + 0.7) * 1000)
        page.goto(server.url("/"))
        expect(page).to_have_url(server.url("/"))

    def test_a_page_without_the_client_does_not_end_it(self, page: Page, server: Server):
        page.goto(server.url("/journey/bare/"))
        page.wait_for_timeout((GRACE + 0.7) * 1000)
        page.goto(server.url("/"))
        expect(page).to_have_url(server.url("/"))

    def test_a_download_keeps_the_socket(self, page: Page, server: Server):
        page.goto(server.url("/journey/form/"))
        until(page, "window.idlewatch?.state")
        with page.expect_download():
            page.click("#download")
        page.wait_for_timeout((GRACE + 0.7) * 1000)
        assert phase(page) in {"active", "warned"}


class TestLogout:
    @pytest.mark.rule("R10")
    def test_it_reaches_every_tab_at_once(self, page: Page, context: BrowserContext, server: Server):
        others = [open_tab(context, server.url("/")) for _ in range(2)]
        # Not by a click, which the warning may be in the way of by now.
        page.locator(".bar-user").evaluate("form => form.requestSubmit()")
        for tab in others:
            expect(tab.get_by_text("You have signed out")).to_be_visible(timeout=1500)
        for tab in others:
            expect(tab).to_have_url(login_url(server, "/"))
