"""The page of a user's own sessions, and what ending one shows elsewhere."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.operators import add_users
from tests.browser.played_tab import violations, with_axe
from tests.browser.visits import connected
from tests.support.browsing import sign_in, stay_covered
from tests.support.serving import Server, demo
from tests.tools.screenshots import NARROW, WIDE

pytestmark = [pytest.mark.server, pytest.mark.browser, pytest.mark.usefixtures("closed_windows")]

PATH = "/idlewatch/sessions/"
VARIANTS = {
    "wide": {"viewport": WIDE},
    "320px": {"viewport": NARROW},
    "dark": {"viewport": WIDE, "color_scheme": "dark"},
    "rtl": {"viewport": WIDE, "locale": "ar"},
}
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"  # noqa: E501
AGE = """
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
for key in Session.objects.values_list("pk", flat=True):
    session = SessionStore(key)
    if "_idlewatch_signed_in" in session:
        session["_idlewatch_signed_in"] -= 301
        session.save()
"""
"""Let five minutes pass for every sign-in."""


@pytest.fixture(scope="module")
def server(site: Server) -> Server:
    add_users(site, "ann", "cid", "eve")
    return site


def enter(browser: Browser, server: Server, name: str, **options: object) -> Page:
    """Sign a user in, in a browser of their own."""
    page = with_axe(browser.new_context(**options)).new_page()  # type: ignore[arg-type]
    sign_in(page, server.url("/"), name)
    connected(page)
    return page


@pytest.mark.rule("R15")
def test_the_tab_of_a_session_that_is_ended_elsewhere_says_so_at_once(browser: Browser, server: Server):
    desk, phone = enter(browser, server, "ann"), enter(browser, server, "ann", user_agent=PHONE)
    stay_covered(phone)
    desk.goto(server.url(PATH))
    row = desk.get_by_role("listitem").filter(has_text="Safari 18 on iPhone")
    row.get_by_role("button", name="End").click()
    expect(phone.get_by_text("your session was revoked").first).to_be_visible()
    expect(desk.get_by_role("status").filter(has_text="The session was ended.")).to_be_visible()
    expect(desk.get_by_text("You are not signed in anywhere else.")).to_be_visible()
    phone.goto(server.url("/"))
    expect(phone.locator("input[name=password]")).to_be_visible()


@pytest.mark.rule("R15")
def test_after_five_minutes_the_password_is_asked_for_and_after_five_wrong_ones_a_new_sign_in(
    browser: Browser, server: Server
):
    desk, phone = enter(browser, server, "cid"), enter(browser, server, "cid", user_agent=PHONE)
    server.manage("shell", "-c", AGE)
    desk.goto(server.url(PATH))
    desk.get_by_role("button", name="End all other sessions").click()
    password = desk.get_by_label("Password")
    expect(password).to_be_focused()
    assert violations(desk) == []
    for said in [*["Incorrect password."] * 4, "Too many incorrect passwords"]:
        password.fill("wrong")
        password.press("Enter")
        expect(desk.get_by_role("alert").filter(has_text=said)).to_be_visible()
        assert violations(desk) == []
        if said == "Incorrect password.":
            expect(password).to_be_focused()
            expect(password).to_be_empty()
    desk.get_by_role("button", name="Sign out and in again").click()
    sign_in(desk, desk.url, "cid")
    desk.get_by_role("button", name="End all other sessions").click()
    expect(desk.get_by_text("1 other session was ended.")).to_be_visible()
    phone.goto(server.url("/"))
    expect(phone.locator("input[name=password]")).to_be_visible()


@pytest.mark.rule("R13")
def test_a_new_password_is_told_with_what_it_ended_until_it_is_dismissed(browser: Browser, server: Server):
    desk, phone = enter(browser, server, "eve"), enter(browser, server, "eve")
    stay_covered(phone)
    desk.goto(server.url("/admin/password_change/"))
    desk.fill("input[name=old_password]", "eve")
    for field in ("new_password1", "new_password2"):
        desk.fill(f"input[name={field}]", "a brand new horse")
    desk.locator("#content-main [type=submit]").click()
    expect(phone.get_by_text("your account or its password changed").first).to_be_visible()
    offer = desk.locator(".idlewatch-offer")
    expect(offer).to_contain_text("Your password was changed. 1 other session was signed out.")
    # The page around it is Django's.
    assert desk.evaluate("axe.run('.idlewatch-offer', { resultTypes: ['violations'] })")["violations"] == []
    offer.get_by_role("button", name="Dismiss").click()
    expect(offer).to_be_hidden()
    desk.goto(server.url("/"))
    expect(offer).to_have_count(0)


def test_it_can_be_read_on_any_screen(browser: Browser, server: Server):
    assert_readable(browser, server)


def test_it_can_be_read_on_any_screen_without_a_page_of_the_project_around_it(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
):
    settings = {"DJANGO_SETTINGS_MODULE": "tests.browser.alone_settings"}
    with demo(tmp_path_factory.mktemp("alone"), **settings) as server:
        assert_readable(browser, server)
        page = enter(browser, server, "demo", locale="ar")
        page.goto(server.url(PATH))
        expect(page.get_by_role("listitem").first).to_have_css("direction", "rtl")


def assert_readable(browser: Browser, server: Server) -> None:
    enter(browser, server, "demo", user_agent=PHONE)
    for name, options in VARIANTS.items():
        page = enter(browser, server, "demo", **options)
        page.goto(server.url(PATH))
        expect(page.get_by_role("listitem").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        assert violations(page) == [], name
