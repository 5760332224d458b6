"""Every state as assistive technology shows it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.played_tab import ENDED, LIMIT, WARNED, Played, dialog, names, overlay, stay, violations
from tests.support.serving import Server
from tests.tools import screenshots
from tests.tools.screenshots import STATES, State

pytestmark = [pytest.mark.server, pytest.mark.browser]

VARIANTS = ["wide", "dark", "320px"]


@pytest.mark.rule("R34")
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_axe_has_nothing_against_it(state: State, variant: str, open_page: OpenPage):
    page, played = open_page(axe=True, **screenshots.VARIANTS[variant])
    state(page, played)
    assert violations(page) == []


@pytest.mark.parametrize("path", ["/played/notice/?notice=You+have+been+signed+out.", "/idlewatch/signed-in/"])
def test_axe_has_nothing_against_the_pages_without_the_client(path: str, open_page: OpenPage, site: Server):
    for variant in VARIANTS:
        page, _ = open_page(axe=True, **screenshots.VARIANTS[variant])
        page.goto(site.url(path))
        assert violations(page) == [], variant


def test_axe_would_find_something(open_page: OpenPage):
    page, played = open_page(axe=True)
    played.say(WARNED)
    dialog(page).evaluate("element => element.removeAttribute('aria-labelledby')")
    assert "aria-dialog-name" in " ".join(violations(page))


@pytest.mark.rule("R34")
def test_the_dialog_s_accessibility_tree(visited: tuple[Page, Played]):
    page, played = visited
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


def test_the_overlay_s_accessibility_tree(visited: tuple[Page, Played]):
    page, played = visited
    page.fill("textarea", "half a letter")
    played.say(ENDED)
    expect(overlay(page)).to_be_visible()
    expect(overlay(page)).to_match_aria_snapshot("""
      - dialog "Signed out":
        - heading "Signed out" [level=1]
        - alert: You have been signed out because of inactivity.
        - paragraph: /What you typed on this page is still here/
        - link "Sign in again"
        - link "Leave without saving"
    """)
    expect(overlay(page).get_by_role("link", name="Sign in again")).to_be_focused()
    page.keyboard.press("Tab")
    expect(overlay(page).get_by_role("link", name="Leave without saving")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/accounts/login/\?next="))


def test_the_limit_s_accessibility_tree(visited: tuple[Page, Played]):
    page, played = visited
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
