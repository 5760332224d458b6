"""Pages that the browser, or a service worker of the site, has kept from another session."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.visits import CALM, Wire, connected, visit
from tests.support.browsing import sign_in, until
from tests.support.serving import Server

pytestmark = [pytest.mark.server, pytest.mark.browser]

ETAG = "/life/etag/"
CLIENT = "document.querySelector('#idlewatch-client') !== null"


@pytest.mark.rule("R19")
def test_a_page_with_an_etag_is_that_of_the_visitor_or_the_user_who_sees_it(context: BrowserContext, site: Server):
    page = context.new_page()
    page.goto(site.url(ETAG))
    page.reload()
    assert not page.evaluate(CLIENT)
    sign_in(page, site.url("/"))
    page.goto(site.url(ETAG))
    connected(page)
    page.goto(site.url("/"))
    page.click("button:text-is('Sign out')")
    page.goto(site.url(ETAG))
    assert not page.evaluate(CLIENT)


@pytest.mark.rule("R29")
@pytest.mark.parametrize("kind", ["", "?shell"], ids=["cache first", "shell"])
def test_a_page_from_a_service_worker_of_another_user_is_not_loaded_again_and_again(
    context: BrowserContext, site: Server, kind: str
):
    page, _ = visit(context, site.url("/"), CALM)
    page.evaluate(f"navigator.serviceWorker.register('/life/worker.js{kind}', {{scope: '/'}})")
    until(page, "navigator.serviceWorker.controller !== null")
    page.reload()
    connected(page)
    page.close()
    context.clear_cookies()
    # Signed in without the worker: its cache has pages of the first user alone.
    login = site.url("/accounts/login/")
    context.request.get(login)
    [token] = [each["value"] for each in context.cookies() if each["name"].endswith("csrftoken")]
    form = {"username": "admin", "password": "admin", "csrfmiddlewaretoken": token}
    assert context.request.post(login, form=form, headers={"Referer": login}).ok
    page = context.new_page()
    wire = Wire(page)
    page.goto(site.url("/"), wait_until="commit")
    if kind:
        expect(page.get_by_role("heading", name="Signed out")).to_be_visible()
    else:
        expect(page.locator(".bar-user")).to_contain_text("admin")
        connected(page)
    page.wait_for_timeout(1000)
    assert len(wire.sockets) <= 4
