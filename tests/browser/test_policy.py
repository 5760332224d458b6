"""The strictest content security policy that a page with a script can have."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, StorageState, expect

from tests.browser.played_tab import ACTIVE, ENDED, LIMIT, OVER, WARNED, dialog, overlay, part, visit
from tests.support.browsing import until
from tests.support.serving import Server

pytestmark = [pytest.mark.server, pytest.mark.browser]


@pytest.mark.rule("R27")
def test_no_state_of_the_client_violates_it(
    context: BrowserContext, console: list[str], signed_in: StorageState, site: Server
):
    context.add_cookies(signed_in["cookies"])
    page, played = visit(context, site.url("/life/strict/"))
    page.fill("#note", "half a letter")
    played.say(WARNED)
    expect(dialog(page)).to_be_visible()
    played.say(LIMIT)
    played.say({"type": "notice", "id": "1", "text": "The site goes down at noon."})
    expect(page.get_by_role("alert")).to_have_count(2)
    played.go_away()
    expect(part(page, "badge")).to_be_visible(timeout=20_000)
    played.come_back(ACTIVE)
    expect(part(page, "badge")).to_be_hidden(timeout=20_000)
    played.say(OVER)
    expect(overlay(page)).to_be_visible()
    played.say(ACTIVE)
    expect(overlay(page)).to_be_hidden()
    played.say(ENDED)
    expect(page.get_by_role("heading", name="Signed out")).to_be_visible()
    assert page.evaluate("window.kept.violations") == []
    page.evaluate("document.body.setAttribute('style', 'color: red')")
    until(page, "window.kept.violations.length")
    assert "style-src" in page.evaluate("window.kept.violations[0]"), "the policy is in force"
    console.clear()
