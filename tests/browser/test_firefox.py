"""The requirements once more, as a person with Firefox meets them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.browser.visits import end_reason
from tests.support.firefox import ESCAPE, Firefox, Tab, User, firefox
from tests.support.serving import Server

pytestmark = [pytest.mark.server, pytest.mark.browser]

IDLE, WARN, GRACE = 6.0, 3.0, 2.0
BRIEF = {"IDLE_TIMEOUT": IDLE, "WARN_BEFORE": WARN, "HEARTBEAT": 0.5}
LASTING = {"IDLE_TIMEOUT": 300, "WARN_BEFORE": 20, "HEARTBEAT": 0.5, "CLOSE_GRACE": GRACE}
SOON = IDLE + 10
DIALOG = "[data-idlewatch=dialog]"
STAY = "[data-idlewatch-part=stay]"
OVERLAY = "[data-idlewatch=overlay]"
SECRET = "What to try"
POLLED = "performance.getEntriesByType('resource').some(({name}) => name.includes('/idlewatch/state/'))"
CAME_BACK = """document.readyState === "complete" &&
    performance.getEntriesByType("navigation").some(({type}) => type === "back_forward")"""
FORBID_SOCKETS = """() => {
    window.WebSocket = class { constructor() { throw new DOMException("Forbidden", "SecurityError"); } };
}"""
SIGN_IN = """(() => {
    const form = document.querySelector("main form");
    form.username.value = form.password.value = "demo";
    form.requestSubmit();
})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    with firefox(tmp_path_factory.mktemp("firefox")) as running:
        yield running


@pytest.fixture
def user(browser: Firefox) -> Iterator[User]:
    with browser.user() as user:
        yield user


@pytest.fixture
def tab(user: User, site: Server) -> Tab:
    """A tab that is signed in and connected, of a session that ends soon."""
    return sign_in(user, site, BRIEF)


@pytest.fixture
def lasting(user: User, site: Server) -> Tab:
    """A tab of a session that ends only because its browser is closed."""
    return sign_in(user, site, LASTING)


def sign_in(user: User, site: Server, limits: dict[str, float]) -> Tab:
    """Open a tab, and sign in to a session under these limits."""
    user.set_cookie("limits", "|".join(f"{key}:{value}" for key, value in limits.items()), "127.0.0.1")
    tab = user.open(site.url("/"))
    tab.look()
    tab.evaluate(SIGN_IN)
    connected(tab)
    return tab


def connected(tab: Tab) -> None:
    tab.until(lambda: tab.evaluate("window.idlewatch?.state ?? null"))


def phase(tab: Tab) -> str:
    return tab.evaluate("window.idlewatch.state.phase")


def words(tab: Tab) -> str:
    return tab.evaluate("document.body.innerText")


class TestWarning:
    @pytest.mark.rule("R30", "R34")
    def test_it_comes_in_both_tabs_and_staying_in_one_clears_both(self, tab: Tab, user: User, site: Server):
        other = user.open(site.url("/"))
        connected(other)
        tab.look()
        for stay in (lambda: tab.click(STAY), lambda: tab.type(ESCAPE)):
            for each in (tab, other):
                each.until(lambda each=each: each.finds(DIALOG, "element.matches(':modal')"), SOON)
            tab.until(lambda: tab.finds(STAY, "element.getRootNode().activeElement === element"))
            stay()
            for each in (tab, other):
                each.until(lambda each=each: not each.finds(DIALOG, "element.open") and phase(each) == "active")


class TestEnd:
    @pytest.mark.rule("R1", "R18", "R19")
    def test_it_says_why_leads_to_the_login_and_going_back_shows_nothing(self, tab: Tab, site: Server):
        tab.until(lambda: SECRET not in words(tab), SOON)
        tab.until(lambda: tab.url.startswith(site.url("/accounts/login/?next=")), SOON)
        tab.until(lambda: "because of inactivity" in words(tab))
        tab.back()
        tab.until(lambda: tab.evaluate(CAME_BACK))
        assert SECRET not in words(tab)

    @pytest.mark.rule("R32")
    def test_what_was_typed_stays_covered(self, tab: Tab, site: Server):
        tab.click("textarea")
        tab.type("half a letter")
        tab.evaluate("window.stayed = true")
        tab.until(lambda: tab.sees(f"{OVERLAY} [data-idlewatch-when=unsaved]"), SOON)
        assert SECRET not in words(tab)
        assert "half a letter" not in tab.evaluate("document.documentElement.outerHTML")
        # Longer than a page without typed words would stay.
        time.sleep(2.5)
        assert tab.evaluate("window.stayed")
        assert tab.url == site.url("/")


class TestActivity:
    @pytest.mark.rule("R3", "R33")
    def test_long_typing_keeps_the_session(self, tab: Tab):
        tab.click("textarea")
        tab.type("a" * int((IDLE + 1.5) / 0.25), every=0.25)
        assert phase(tab) == "active"


class TestClosing:
    @pytest.mark.rule("R39")
    def test_a_closed_tab_ends_the_session(self, lasting: Tab, user: User, site: Server):
        # A browser that loses its last tab may take its time.
        other = user.open("about:blank")
        lasting.close()
        other.until(lambda: end_reason(site) == "closed", GRACE + 10)

    def test_a_followed_link_does_not(self, lasting: Tab, user: User, site: Server):
        follow_to_elsewhere(lasting, site)
        time.sleep(GRACE + 1.5)
        assert end_reason(site) is None

    def test_a_followed_link_does_not_without_the_navigation_api(
        self, site: Server, tmp_path_factory: pytest.TempPathFactory
    ):
        older = {"dom.navigation.webidl.enabled": False}
        with firefox(tmp_path_factory.mktemp("older"), older) as browser, browser.user() as user:
            tab = sign_in(user, site, LASTING)
            assert not tab.evaluate("'navigation' in window")
            follow_to_elsewhere(tab, site)
            time.sleep(GRACE + 1.5)
            assert end_reason(site) is None


def follow_to_elsewhere(tab: Tab, site: Server) -> None:
    payment = site.url("/healthz").replace("127.0.0.1", "localhost")
    tab.go(site.url(f"/journey/form/?elsewhere={payment}"))
    connected(tab)
    tab.click("#elsewhere")
    tab.until(lambda: tab.url == payment)


class TestTransport:
    @pytest.mark.rule("R7")
    def test_where_sockets_are_forbidden_it_goes_on_over_http(self, user: User, site: Server):
        user.before_each_page(FORBID_SOCKETS)
        tab = sign_in(user, site, BRIEF)
        tab.until(lambda: tab.evaluate(POLLED))
        tab.until(lambda: tab.finds(DIALOG, "element.open"), SOON)
        tab.click(STAY)
        tab.until(lambda: not tab.finds(DIALOG, "element.open"), 5)
        assert phase(tab) == "active"
        assert not tab.evaluate("window.idlewatch.state.offline")
