"""Signing in again in place: what ended comes back as it was, to its own user only."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.conftest import IDLE, open_tab
from tests.browser.visits import Wire, connected
from tests.support.browsing import sign_in, until
from tests.support.serving import Server

pytestmark = [pytest.mark.server, pytest.mark.browser]

SOON = IDLE * 1000 + 10_000


@pytest.fixture(scope="module")
def browser(whole_browser: Browser) -> Browser:
    return whole_browser


@pytest.fixture
def page(page: Page) -> Page:
    """A tab that shows whether it was reloaded."""
    page.evaluate("window.stayed = true")
    return page


@pytest.fixture
def letter(page: Page) -> Page:
    """A tab with half a letter in it, whose session has ended."""
    page.fill("textarea", "half a letter")
    expect(overlay(page)).to_be_visible(timeout=SOON)
    return page


def overlay(page: Page) -> Locator:
    return page.get_by_role("heading", name="Signed out")


def content(page: Page) -> Locator:
    return page.get_by_role("heading", name="This session, live")


def ask_before_leaving(page: Page) -> None:
    page.evaluate("addEventListener('beforeunload', event => event.preventDefault())")


def sign_in_again(page: Page, username: str) -> None:
    """Use what the overlay offers."""
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Sign in again").click()
    window = opened.value
    with window.expect_event("close", timeout=10_000):
        sign_in(window, window.url, username)


@pytest.mark.rule("R32")
def test_every_tab_that_has_something_to_lose_comes_back_as_it_was(page: Page, context: BrowserContext, site: Server):
    other = open_tab(context, site.url("/?other=1"))
    other.evaluate("window.stayed = true")
    ask_before_leaving(other)
    page.fill("textarea", "half a letter")
    page.evaluate("document.addEventListener('idlewatch:resumed', event => { window.resumed = event.detail.phase; })")
    for tab in (page, other):
        expect(tab.get_by_role("link", name="Leave without saving")).to_be_visible(timeout=SOON)
    assert page.evaluate("document.querySelector('input[name=csrfmiddlewaretoken]')") is None
    sign_in_again(page, "demo")
    for tab in (page, other):
        expect(content(tab)).to_be_visible(timeout=5000)
        expect(overlay(tab)).to_have_count(0)
        until(tab, "window.idlewatch.state.phase === 'active'")
        assert tab.evaluate("window.stayed"), "the page was reloaded"
    assert page.input_value("textarea") == "half a letter"
    assert page.evaluate("window.resumed") == "active"
    # Its forms are accepted in the new session.
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page).to_have_url(re.compile("/accounts/login/"))


def test_another_user_sees_nothing_of_it_and_is_asked_nothing(page: Page, site: Server):
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    ask_before_leaving(page)
    page.fill("textarea", "half a letter")
    expect(overlay(page)).to_be_visible(timeout=SOON)
    sign_in_again(page, "admin")
    until(page, "window.stayed === undefined && window.idlewatch?.state")
    expect(page).to_have_url(site.url("/"))
    expect(page.locator(".bar-user")).to_contain_text("admin")
    assert page.input_value("textarea") == ""
    assert asked == []


@pytest.mark.rule("R18")
def test_a_tab_that_was_cut_off_shows_nothing_to_another_user(page: Page, context: BrowserContext, site: Server):
    # No sign-in is announced to the tab: as when it slept, or the browser has no channel between tabs.
    page.add_init_script("delete window.BroadcastChannel")
    page.reload()
    connected(page)
    page.fill("textarea", "half a letter")
    page.evaluate("window.stayed = true")
    context.set_offline(True)
    expect(page.get_by_role("heading", name="Offline")).to_be_visible(timeout=SOON)
    context.clear_cookies()
    context.set_offline(False)
    sign_in(context.new_page(), site.url("/"), "admin")
    assert "half a letter" not in page.content()
    # The page asks again when it wakes.
    context.set_offline(True)
    context.set_offline(False)
    until(page, "window.stayed === undefined", within=20)
    assert "half a letter" not in page.content()


@pytest.mark.parametrize("path", ["/accounts/login/", "/idlewatch/reauthenticate/"])
def test_signing_in_again_before_the_end_keeps_the_page_and_its_forms_for_one_new_connection(
    page: Page, context: BrowserContext, site: Server, path: str
):
    wire = Wire(page)
    token = page.locator("input[name=csrfmiddlewaretoken]").first.input_value()
    window, address = context.new_page(), site.url(f"{path}?next=/idlewatch/signed-in/")
    if path == "/accounts/login/":
        sign_in(window, address)
    else:
        window.goto(address)
        window.get_by_label("Password").fill("demo")
        window.get_by_role("button", name="Confirm").click()
    until(page, f"document.querySelector('input[name=csrfmiddlewaretoken]').value !== '{token}'")
    page.evaluate("window.idlewatch.extend()")
    until(page, f"window.idlewatch.state.phase === 'active' && window.idlewatch.state.remaining > {IDLE} - 1")
    assert len(wire.sockets) <= 1
    assert page.evaluate("window.stayed")
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page).to_have_url(re.compile("/accounts/login/$"))


def test_asking_twice_opens_one_small_window_and_where_none_opens_a_tab_will_do(letter: Page):
    link = letter.get_by_role("link", name="Sign in again")
    with letter.expect_popup() as opened:
        link.click()
    letter.evaluate("() => { window.open = () => { window.opened = true; return null; }; }")
    link.click()
    assert letter.evaluate("window.opened") is None
    opened.value.close()
    sign_in_again(letter, "demo")
    assert letter.evaluate("window.opened")
    expect(content(letter)).to_be_visible(timeout=5000)
