"""Networks that refuse sockets, or swallow what they carry."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.proxy import Proxy, Way
from tests.browser.visits import CALM, SHORT, connected, visit, wait_for

pytestmark = [pytest.mark.server, pytest.mark.browser]

PAGE = "/life/light/"


def test_where_sockets_are_refused_http_carries_warning_extension_and_end(context: BrowserContext, between: Proxy):
    between.set_sockets(Way.REFUSE)
    page, wire = visit(context, between.url(PAGE), SHORT)
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_be_visible(timeout=8000)
    page.get_by_role("button", name="Stay signed in").click()
    expect(dialog).to_be_hidden(timeout=2500)
    page.keyboard.press("Shift")
    expect(page).to_have_url(re.compile("/accounts/login/"), timeout=15_000)
    expect(page.get_by_text("because of inactivity")).to_be_visible()
    assert wire.received == []


def test_a_socket_that_falls_silent_is_noticed_within_two_heartbeats(context: BrowserContext, between: Proxy):
    heartbeat = 8.0
    page, wire = visit(context, between.url(PAGE), CALM | {"HEARTBEAT": heartbeat})
    wait_for(page, lambda: wire.received)
    between.set_sockets(Way.SWALLOW)
    with page.expect_request(re.compile("/idlewatch/(state|message)/"), timeout=2000 * heartbeat):
        pass
    connected(page)
