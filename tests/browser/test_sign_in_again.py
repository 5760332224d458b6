"""Signing in again in place: what ended comes back as it was, to its own user only."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import IDLE, open_tab
from tests.browser.visits import connected
from tests.support.browsing import stay_covered, until
from tests.support.serving import Server

pytestmark = [pytest.mark.server, pytest.mark.browser]


@pytest.fixture(scope="module")
def browser(whole_browser: Browser) -> Browser:
    return whole_browser


SOON = IDLE * 1000 + 10_000


def cover(page: Page):
    return page.get_by_role("heading", name="Signed out")


def content(page: Page):
    return page.get_by_role("heading", name="This session, live")


def sign_in_again(page: Page, username: str) -> None:
    """Use what the cover offers."""
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Sign in again").click()
    window = opened.value
    window.fill("input[name=username]", username)
    window.fill("input[name=password]", username)
    with window.expect_event("close", timeout=10_000):
        window.click("main button[type=submit]")


@pytest.fixture
def letter(page: Page) -> Page:
    """A tab with half a letter in it, whose session has ended."""
    page.fill("textarea", "half a letter")
    page.evaluate("window.stayed = true")
    expect(cover(page)).to_be_visible(timeout=SOON)
    return page


@pytest.mark.rule("R32")
def test_every_tab_of_the_browser_comes_back_as_it_was(page: Page, context: BrowserContext, site: Server):
    other = open_tab(context, site.url("/?other=1"))
    other.evaluate("window.stayed = true")
    stay_covered(other)
    page.fill("textarea", "half a letter")
    page.evaluate("window.stayed = true")
    page.evaluate("document.addEventListener('idlewatch:resumed', event => { window.resumed = event.detail.phase; })")
    expect(cover(page)).to_be_visible(timeout=SOON)
    expect(cover(other)).to_be_visible(timeout=SOON)
    assert page.evaluate("document.querySelector('input[name=csrfmiddlewaretoken]')") is None
    sign_in_again(page, "demo")
    for tab in (page, other):
        expect(content(tab)).to_be_visible(timeout=5000)
        expect(cover(tab)).to_have_count(0)
        until(tab, "window.idlewatch.state.phase === 'active'")
        assert tab.evaluate("window.stayed"), "the page was reloaded"
    assert page.input_value("textarea") == "half a letter"
    assert page.evaluate("window.resumed") == "active"
    # Its forms are accepted in the new session.
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page).to_have_url(re.compile("/accounts/login/"))


def test_another_user_sees_nothing_of_it(letter: Page, site: Server):
    sign_in_again(letter, "admin")
    expect(letter).to_have_url(site.url("/"), timeout=5000)
    until(letter, "window.stayed === undefined && window.idlewatch?.state")
    expect(letter.locator(".bar-user")).to_contain_text("admin")
    assert letter.input_value("textarea") == ""


@pytest.mark.rule("R18")
def test_a_tab_that_was_cut_off_shows_nothing_to_another_user(page: Page, context: BrowserContext, site: Server):
    # The tab hears of no sign-in: as when it slept, or the browser has no channel between tabs.
    page.add_init_script("delete window.BroadcastChannel")
    page.reload()
    connected(page)
    page.fill("textarea", "half a letter")
    page.evaluate("window.stayed = true")
    context.set_offline(True)
    expect(page.get_by_role("heading", name="Offline")).to_be_visible(timeout=SOON)
    context.clear_cookies()
    context.set_offline(False)
    other = context.new_page()
    other.goto(site.url("/"))
    other.fill("input[name=username]", "admin")
    other.fill("input[name=password]", "admin")
    other.click("main button[type=submit]")
    assert "half a letter" not in page.content()
    # The page looks again when it is woken.
    context.set_offline(True)
    context.set_offline(False)
    until(page, "window.stayed === undefined", within=20)
    assert "half a letter" not in page.content()


def test_before_the_absolute_limit_signing_in_again_keeps_the_page_and_its_forms(
    page: Page, context: BrowserContext, site: Server
):
    page.evaluate("window.stayed = true")
    window = context.new_page()
    window.goto(site.url("/accounts/login/?next=/idlewatch/signed-in/"))
    token = page.locator("input[name=csrfmiddlewaretoken]").first.input_value()
    window.fill("input[name=username]", "demo")
    window.fill("input[name=password]", "demo")
    window.click("main button[type=submit]")
    until(page, f"document.querySelector('input[name=csrfmiddlewaretoken]').value !== '{token}'")
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page).to_have_url(re.compile("/accounts/login/$"))


def test_a_page_that_asks_before_it_is_left_is_kept(page: Page):
    page.evaluate("addEventListener('beforeunload', event => event.preventDefault())")
    page.evaluate("window.stayed = true")
    expect(page.get_by_role("link", name="Leave without saving")).to_be_visible(timeout=SOON)
    sign_in_again(page, "demo")
    expect(content(page)).to_be_visible(timeout=5000)
    assert page.evaluate("window.stayed")


def test_a_page_that_asks_before_it_is_left_shows_nothing_to_another_user(page: Page, site: Server):
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.click("body")
    page.evaluate("addEventListener('beforeunload', event => event.preventDefault())")
    page.evaluate("window.stayed = true")
    expect(cover(page)).to_be_visible(timeout=SOON)
    sign_in_again(page, "admin")
    until(page, "window.stayed === undefined")
    assert asked == []


def test_asking_twice_for_the_small_window_keeps_what_was_typed_and_where_none_opens_a_tab_will_do(letter: Page):
    link = letter.get_by_role("link", name="Sign in again")
    with letter.expect_popup() as opened:
        link.click()
    opened.value.fill("input[name=username]", "de")
    link.click()
    letter.wait_for_timeout(300)
    assert opened.value.input_value("input[name=username]") == "de"
    opened.value.close()
    letter.evaluate("window.open = () => null")
    sign_in_again(letter, "demo")
    expect(content(letter)).to_be_visible(timeout=5000)
