"""A user's own sessions, in real browsers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.looks import violations, with_axe
from tests.browser.visits import connected
from tests.support.browsing import sign_in, stay_covered
from tests.support.serving import Server, demo
from tests.tools.screenshots import NARROW, SHOTS, WIDE

pytestmark = [pytest.mark.server, pytest.mark.browser]

PATH = "/idlewatch/sessions/"
LOOKS = {
    "wide": {"viewport": WIDE},
    "320px": {"viewport": NARROW},
    "dark": {"viewport": WIDE, "color_scheme": "dark"},
    "rtl": {"viewport": WIDE, "locale": "ar"},
}
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"  # noqa: E501
NEW = "a brand new horse"

PEOPLE = """
from django.contrib.auth.models import User
for name in %r:
    if not User.objects.filter(username=name):
        User.objects.create_superuser(name, password=name)
"""
AGE = """
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
for key in Session.objects.values_list("pk", flat=True):
    session = SessionStore(key)
    if "_idlewatch_signed_in" in session:
        session["_idlewatch_signed_in"] -= 301
        session.save()
"""
"""Five minutes go by for every sign-in."""


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The demo, which has a page of its own around the list, or a site that has none."""
    with ExitStack() as stack:
        if getattr(request, "param", "demo") == "demo":
            server: Server = request.getfixturevalue("site")
        else:
            settings = {"DJANGO_SETTINGS_MODULE": "tests.browser.alone_settings"}
            server = stack.enter_context(demo(tmp_path_factory.mktemp("alone"), **settings))
        server.manage("shell", "-c", PEOPLE % (["ann", "bob", "cid", "dot", "eve", "fay"],))
        yield server


@pytest.fixture
def device(browser: Browser, server: Server) -> Iterator[Callable[..., Page]]:
    """Sign a user in with a browser of their own."""
    contexts: list[BrowserContext] = []

    def sign(name: str, **options: object) -> Page:
        context = browser.new_context(**options)  # type: ignore[arg-type]
        if options.get("java_script_enabled", True):
            with_axe(context)
        contexts.append(context)
        page = context.new_page()
        sign_in(page, server.url("/"), name)
        expect(page.locator("#idlewatch-state")).to_be_visible()
        return page

    yield sign
    for context in contexts:
        context.close()


def picture(page: Page, name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"own-sessions-{name}.png", full_page=True)


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.rule("R15")
def test_the_tab_of_a_session_that_is_ended_elsewhere_says_so_at_once(device, server: Server):
    desk, phone = device("ann"), device("ann", user_agent=PHONE)
    connected(phone)
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
def test_after_five_minutes_the_password_is_asked_for(device, server: Server):
    desk, phone = device("bob"), device("bob", user_agent=PHONE)
    server.manage("shell", "-c", AGE)
    desk.goto(server.url(PATH))
    desk.get_by_role("button", name="End all other sessions").click()
    password = desk.get_by_label("Password")
    expect(password).to_be_focused()
    picture(desk, "password")
    assert violations(desk) == []
    password.fill("wrong")
    password.press("Enter")
    expect(desk.get_by_role("alert").filter(has_text="Incorrect password.")).to_be_visible()
    expect(password).to_be_focused()
    picture(desk, "error")
    assert violations(desk) == []
    phone.reload()
    expect(phone.locator("#idlewatch-state")).to_be_visible()
    password.fill("bob")
    password.press("Enter")
    expect(desk.get_by_text("1 other session was ended.")).to_be_visible()
    phone.goto(server.url("/"))
    expect(phone.locator("input[name=password]")).to_be_visible()


@pytest.mark.rule("R15")
def test_after_too_many_wrong_ones_signing_in_again_helps(device, server: Server):
    desk, _ = device("cid"), device("cid", user_agent=PHONE)
    server.manage("shell", "-c", AGE)
    desk.goto(server.url(PATH))
    desk.get_by_role("button", name="End all other sessions").click()
    for _ in range(5):
        desk.get_by_label("Password").fill("wrong")
        desk.get_by_label("Password").press("Enter")
    expect(desk.get_by_role("alert").filter(has_text="Too many incorrect passwords")).to_be_visible()
    picture(desk, "locked")
    assert violations(desk) == []
    desk.get_by_role("link", name="Sign in again").click()
    desk.fill("input[name=username]", "cid")
    desk.fill("input[name=password]", "cid")
    desk.click("main button[type=submit]")
    desk.get_by_role("button", name="End all other sessions").click()
    expect(desk.get_by_text("1 other session was ended.")).to_be_visible()


@pytest.mark.rule("R15")
def test_it_works_without_a_script(device, server: Server):
    desk, phone = device("dot", java_script_enabled=False), device("dot", user_agent=PHONE)
    desk.goto(server.url(PATH))
    desk.get_by_role("listitem").filter(has_text="iPhone").get_by_role("button", name="End").click()
    expect(desk.get_by_text("The session was ended.")).to_be_visible()
    phone.goto(server.url("/"))
    expect(phone.locator("input[name=password]")).to_be_visible()


@pytest.mark.rule("R13")
@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_a_new_password_is_told_with_what_it_ended_until_it_is_dismissed(script: bool, device, server: Server):
    name = "eve" if script else "fay"
    desk, phone = device(name, java_script_enabled=script), device(name)
    connected(phone)
    stay_covered(phone)
    desk.goto(server.url("/admin/password_change/"))
    desk.fill("input[name=old_password]", name)
    desk.fill("input[name=new_password1]", NEW)
    desk.fill("input[name=new_password2]", NEW)
    desk.locator("#content-main [type=submit]").click()
    desk.wait_for_url("**/done/")
    expect(phone.get_by_text("your account or its password changed").first).to_be_visible()
    offer = desk.locator(".idlewatch-offer")
    if not offer.count():
        desk.goto(server.url("/"))
    expect(offer).to_be_visible()
    expect(offer).to_contain_text("Your password was changed. 1 other session was signed out.")
    picture(desk, f"offer-{'script' if script else 'no-script'}")
    if script:
        # The page around it is Django's.
        found = desk.evaluate("axe.run('.idlewatch-offer', { resultTypes: ['violations'] })")
        assert found["violations"] == []
    offer.get_by_role("button", name="Dismiss").click()
    expect(offer).to_be_hidden()
    desk.goto(server.url("/"))
    expect(offer).to_have_count(0)


@pytest.mark.parametrize("server", ["demo", "alone"], indirect=True)
def test_it_can_be_read_on_any_screen(device, server: Server, request: pytest.FixtureRequest):
    kind = request.node.callspec.params["server"]
    device("demo", user_agent=PHONE)
    for look, options in LOOKS.items():
        desk = device("demo", **options)
        desk.goto(server.url(PATH))
        first = desk.get_by_role("listitem").first
        expect(first).to_be_visible()
        if look == "rtl" and kind == "alone":
            assert first.evaluate("element => getComputedStyle(element).direction") == "rtl"
        assert fits(desk), look
        picture(desk, f"{kind}-{look}")
        assert violations(desk) == [], look
