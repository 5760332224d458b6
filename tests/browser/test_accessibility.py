"""What people with assistive technology meet, in every state."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect

from tests.browser.looks import ENDED, LIMIT, WARNED, cover, dialog, names, stay, visit
from tests.support.node import packages
from tests.support.serving import Server
from tests.tools import screenshots
from tests.tools.screenshots import STATES, State

pytestmark = [pytest.mark.server, pytest.mark.browser]

VARIANTS = ["wide", "dark", "320px"]


@pytest.fixture(params=VARIANTS)
def any_context(request: pytest.FixtureRequest, browser: Browser, signed_in: StorageState) -> Iterator[BrowserContext]:
    context = browser.new_context(storage_state=signed_in, **screenshots.VARIANTS[request.param])
    yield context
    context.close()


@pytest.fixture
def context(browser: Browser, signed_in: StorageState) -> Iterator[BrowserContext]:
    context = browser.new_context(storage_state=signed_in)
    yield context
    context.close()


def violations(page: Page) -> list[str]:
    """What axe-core has against the page and everything in its shadow roots."""
    page.evaluate("document.getAnimations().forEach(animation => animation.finish())")
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
    return [f"{each['id']}: {each['help']} {[node['html'] for node in each['nodes']]}" for each in found]


def with_axe(context: BrowserContext) -> BrowserContext:
    # A script of the page's own would be a violation of its policy.
    context.add_init_script(path=packages() / "axe-core" / "axe.min.js")
    return context


@pytest.mark.rule("R34")
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_axe_has_nothing_against_it(state: State, any_context: BrowserContext, site: Server):
    page, played = visit(with_axe(any_context), site.url("/looks/page/"))
    state(page, played)
    assert violations(page) == []


@pytest.mark.parametrize("path", ["/looks/notice/?notice=You+have+been+signed+out.", "/idlewatch/signed-in/"])
def test_axe_has_nothing_against_the_pages_without_the_client(path: str, any_context: BrowserContext, site: Server):
    page = with_axe(any_context).new_page()
    page.goto(site.url(path))
    assert violations(page) == []


def test_axe_would_find_something(context: BrowserContext, site: Server):
    page, played = visit(with_axe(context), site.url("/looks/page/"))
    played.say(WARNED)
    dialog(page).evaluate("element => element.removeAttribute('aria-labelledby')")
    assert "aria-dialog-name" in " ".join(violations(page))


@pytest.mark.rule("R34")
def test_the_dialog_s_accessibility_tree(context: BrowserContext, site: Server):
    page, played = visit(context, site.url("/looks/page/"))
    played.say(WARNED)
    expect(stay(page)).to_be_focused()
    expect(dialog(page)).to_match_aria_snapshot("""
      - alertdialog "Are you still there?":
        - heading "Are you still there?" [level=2]
        - paragraph: /You have not been active for a while/
        - timer: /1:\\d\\d/
        - paragraph: /Time left. 1 minute, \\d+ seconds/
        - status
        - button "Stay signed in"
        - button "Sign out now"
    """)
    expect(dialog(page)).to_have_accessible_description(
        "You have not been active for a while. To protect your account, you will be signed out soon. "
        "Time left: 1 minute, 58 seconds"
    )
    assert "Ada" not in names(page), "all else is out of reach while it stands"


def test_the_cover_s_accessibility_tree(context: BrowserContext, site: Server):
    page, played = visit(context, site.url("/looks/page/"))
    page.fill("textarea", "half a letter")
    played.say(ENDED)
    expect(cover(page)).to_be_visible()
    expect(cover(page)).to_match_aria_snapshot("""
      - dialog "Signed out":
        - heading "Signed out" [level=1]
        - alert: You have been signed out because of inactivity.
        - paragraph: /What you typed on this page is still here/
        - link "Sign in again"
        - link "Leave without saving"
    """)


def test_the_limit_s_accessibility_tree(context: BrowserContext, site: Server):
    page, played = visit(context, site.url("/looks/page/"))
    played.say(LIMIT)
    expect(page.get_by_role("alert")).to_match_aria_snapshot("""
      - alert:
        - paragraph: Your session is about to reach its time limit
        - paragraph: /It can.t be extended/
        - timer: /1:\\d\\d/
        - status
        - link "Sign in again"
        - button "Dismiss"
    """)
    assert "Ada" in names(page), "it blocks nothing"


@pytest.mark.rule("R34")
def test_by_the_keyboard_alone(context: BrowserContext, site: Server):
    page, played = visit(context, site.url("/looks/page/"))
    page.keyboard.press("Tab")
    expect(page.locator("[name=subject]")).to_be_focused()
    page.keyboard.type("half a su")
    played.say(WARNED)
    expect(stay(page)).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Sign out now")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(stay(page)).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog(page)).to_be_hidden()
    page.keyboard.type("bject")
    assert page.input_value("[name=subject]") == "half a subject"
