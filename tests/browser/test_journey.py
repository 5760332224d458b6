"""The five requirements, as a person meets them."""

from __future__ import annotations

import re
import time
from collections import Counter
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import BRIEF, GRACE, IDLE, open_tab
from tests.browser.played_tab import dialog
from tests.browser.visits import allow, connected, end_reason, wait_for
from tests.support.browsing import sign_in, stay_covered, until
from tests.support.serving import Server

pytestmark = [pytest.mark.server, pytest.mark.browser]


@pytest.fixture(scope="module")
def browser(whole_browser: Browser) -> Browser:
    return whole_browser


SOON = IDLE * 1000 + 10_000
STAY = "Stay signed in"


def phase(page: Page) -> str:
    return page.evaluate("window.idlewatch.state.phase")


def login_url(site: Server, place: str) -> re.Pattern[str]:
    """Match the login page that leads back to `place`: Django and the client quote it each in its own way."""
    ways = "|".join(re.escape(quote(place, safe=safe)) for safe in ("/", ""))
    return re.compile(f"{re.escape(site.url('/accounts/login/?next='))}({ways})$")


class TestWarning:
    @pytest.mark.rule("R30", "R34")
    def test_it_comes_in_every_tab_and_staying_in_one_clears_all(
        self, page: Page, context: BrowserContext, site: Server
    ):
        other = open_tab(context, site.url("/"))
        for tab in (page, other):
            expect(dialog(tab)).to_be_visible(timeout=SOON)
            expect(tab.get_by_role("button", name=STAY)).to_be_focused()
        page.get_by_role("button", name=STAY).click()
        for tab in (page, other):
            expect(dialog(tab)).to_be_hidden()
            assert phase(tab) == "active"

    @pytest.mark.rule("R42", "R10")
    def test_it_offers_to_sign_out(self, page: Page, context: BrowserContext, site: Server):
        other = open_tab(context, site.url("/"))
        expect(dialog(page)).to_be_visible(timeout=SOON)
        page.get_by_role("button", name="Sign out now").click()
        expect(page).to_have_url(re.compile("/accounts/login/"))
        expect(other).to_have_url(login_url(site, "/"))


class TestEnd:
    @pytest.mark.rule("R1", "R18")
    def test_every_tab_hides_its_content_says_why_and_leads_to_the_login(
        self, page: Page, context: BrowserContext, site: Server
    ):
        other = open_tab(context, site.url("/?b=2&c=d#part"))
        stay_covered(other)
        expect(page).to_have_url(login_url(site, "/"), timeout=SOON)
        expect(page.get_by_text("because of inactivity")).to_be_visible()
        expect(other.get_by_text("because of inactivity")).to_be_visible()
        expect(other.get_by_text("What to try")).to_have_count(0)
        expect(other.get_by_role("link", name="Sign in again")).to_have_attribute(
            "href", re.compile(re.escape("/accounts/login/?next=%2F%3Fb%3D2%26c%3Dd%23part"))
        )
        sign_in(page, page.url)
        expect(page).to_have_url(site.url("/"))
        expect(page.get_by_text("because of inactivity")).to_have_count(0)

    @pytest.mark.rule("R1")
    def test_it_comes_without_any_script_in_the_page(self, browser: Browser, site: Server):
        context = browser.new_context(java_script_enabled=False)
        allow(context, BRIEF)
        page = context.new_page()
        sign_in(page, site.url("/"))
        wait_for(page, lambda: end_reason(site) == "idle", IDLE + 10)
        page.goto(site.url("/"))
        expect(page.get_by_text("because of inactivity")).to_be_visible()
        context.close()


class TestActivity:
    @pytest.mark.rule("R3", "R33")
    def test_long_typing_without_a_request_keeps_the_session(self, page: Page):
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.locator("textarea").press_sequentially("a" * int(IDLE * 1.6 / 0.1), delay=100)
        assert phase(page) == "active"
        # The browser asks for the page's icon when it likes; a static file reaches no session.
        assert [url for url in requests if "/static/" not in url] == []

    @pytest.mark.rule("R5")
    def test_polls_with_nothing_marked_do_not_keep_the_session(self, page: Page, context: BrowserContext, site: Server):
        answered: Counter[str] = Counter()

        def count(tab: Page, path: str) -> None:
            tab.on("response", lambda response: answered.update([path] if response.url.endswith("/answer/") else []))

        paths = [f"/journey/{name}/" for name in ("fetching", "htmx", "htmx4")]
        tabs = [page, *(context.new_page() for _ in paths[1:])]
        for tab, path in zip(tabs, paths, strict=True):
            count(tab, path)
            tab.goto(site.url(path))
        for tab, path in zip(tabs, paths, strict=True):
            expect(tab).to_have_url(login_url(site, path), timeout=SOON)
            assert answered[path] > 3
        # It is said once.
        assert any(tab.get_by_text("because of inactivity").count() for tab in tabs)

    def test_a_form_that_takes_longer_than_the_session_is_answered(self, page: Page, site: Server):
        page.goto(site.url("/journey/form/"))
        page.fill("input[name=field]", "value")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", name="Saved")).to_be_visible(timeout=15_000)


class TestClosing:
    @pytest.mark.rule("R39")
    def test_closing_every_tab_ends_the_session(
        self, page: Page, context: BrowserContext, browser: Browser, site: Server
    ):
        other = open_tab(context, site.url("/"))
        # A browser that restores its tabs comes back with the session's cookie.
        restored = browser.new_context(storage_state=context.storage_state()).new_page()
        page.close()
        other.close()
        wait_for(restored, lambda: end_reason(site) == "closed", GRACE + 10)
        restored.goto(site.url("/"))
        expect(restored).to_have_url(login_url(site, "/"))
        expect(restored.get_by_text("because the browser was closed")).to_be_visible()
        restored.context.close()

    @pytest.mark.rule("R40")
    def test_reloading_again_and_again_does_not_end_it(self, page: Page):
        deadline = time.monotonic() + GRACE + 1
        while time.monotonic() < deadline:
            page.reload()
            connected(page)
        assert phase(page) == "active"

    def test_a_page_elsewhere_does_not_end_it(
        self, page: Page, context: BrowserContext, browser: Browser, site: Server
    ):
        # Nor does a page of the site without the client.
        page.goto(site.url("/journey/bare/"))
        page.wait_for_timeout((GRACE + 0.7) * 1000)
        payment = site.url("/healthz").replace("127.0.0.1", "localhost")
        page.goto(site.url(f"/journey/form/?elsewhere={payment}"))
        until(page, "window.idlewatch?.state")
        page.get_by_role("link", name="Pay").click()
        expect(page).to_have_url(payment)
        page.wait_for_timeout((GRACE + 0.7) * 1000)
        page.goto(site.url("/"))
        expect(page).to_have_url(site.url("/"))
