"""Whose page it is: one may outlive its session, and somebody else may sign in meanwhile in the same browser."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User

from idlewatch.http.page_tokens import token_of
from idlewatch.models import WatchedSession
from idlewatch.monitor import records
from idlewatch.monitor import service as monitor
from tests.conftest import START, Time
from tests.unit.http import site
from tests.unit.http.conftest import Browser, last_active, record

PATHS = ("/idlewatch/state/", "/idlewatch/page/")


def token(clock: Time, watch_id: str) -> str:
    watched = monitor.look(watch_id, clock.now)
    assert watched is not None
    return token_of(watched)


@pytest.fixture
def old(browser: Browser, ann: User, clock: Time) -> str:
    """The token of a page that Ann opened."""
    browser.sign_in(ann)
    return token(clock, record().pk)


def ask(browser: Browser, path: str, page: str) -> Any:
    return browser.poll(f"{path}?for={page}")


class TestOwn:
    def test_a_page_of_the_session_is_current(self, browser: Browser, old: str):
        answer = ask(browser, "/idlewatch/page/", old).json()
        assert (answer["page"], answer["token"]) == ("current", old)
        assert "page" not in ask(browser, "/idlewatch/state/", old).json()

    def test_it_stays_so_through_a_new_key(self, browser: Browser, old: str):
        browser.visit("/rotate/")
        assert ask(browser, "/idlewatch/page/", old).json()["page"] == "current"

    def test_it_stays_so_when_the_secret_key_is_replaced(self, browser: Browser, old: str, settings: Any):
        # Signed under another key, the session itself needs the old one too.
        settings.SECRET_KEY_FALLBACKS = [django_settings.SECRET_KEY]
        settings.SECRET_KEY = "another secret key, as long and as random as the first"
        assert ask(browser, "/idlewatch/page/", old).json()["page"] == "current"

    def test_one_that_does_not_say_is_believed(self, browser: Browser, old: str):
        assert browser.poll("/idlewatch/page/").json()["page"] == "current"
        assert "page" not in browser.poll("/idlewatch/state/").json()


class TestRenewed:
    @pytest.mark.rule("R32")
    def test_a_page_of_an_earlier_session_gets_what_it_needs_to_go_on(
        self, browser: Browser, ann: User, old: str, clock: Time
    ):
        clock.pass_(1000)
        assert ask(browser, "/idlewatch/page/", old).status_code == 401
        browser.sign_in(ann)
        answer = ask(browser, "/idlewatch/page/", old).json()
        assert answer["page"] == "renewed"
        assert answer["token"] != old
        assert ask(browser, "/idlewatch/page/", answer["token"]).json()["page"] == "current"
        assert ask(browser, "/idlewatch/state/", old).json()["page"] == "renewed"

    def test_its_csrf_token_is_taken(self, make_browser: Any, ann: User, clock: Time):
        browser = make_browser(enforce_csrf_checks=True)
        browser.visit("/login/")
        browser.client.force_login(ann)
        answer = ask(browser, "/idlewatch/page/", "none-of-these").json()
        assert answer == {"page": "foreign"}
        answer = browser.poll("/idlewatch/page/").json()
        assert browser.say('{"type": "sync"}', **{"X-CSRFToken": answer["csrf"]}).status_code == 200

    def test_signing_in_again_while_it_lives_renews_too(self, browser: Browser, ann: User, old: str, clock: Time):
        clock.pass_(10)
        browser.sign_in(ann)
        assert ask(browser, "/idlewatch/page/", old).json()["page"] == "renewed"


class TestForeign:
    @pytest.fixture
    def another(self, browser: Browser, bob: User, old: str) -> Browser:
        browser.sign_in(bob)
        return browser

    def test_a_page_of_somebody_else_gets_nothing(self, another: Browser, old: str):
        assert ask(another, "/idlewatch/page/", old).json() == {"page": "foreign"}

    def test_it_is_told_that_its_session_is_over(self, another: Browser, old: str):
        response = ask(another, "/idlewatch/state/", old)
        assert response.status_code == 401
        frame = response.json()
        assert (frame["phase"], frame["reason"], frame["page"]) == ("ended", "logout", "foreign")

    def test_its_messages_are_not_heard(self, another: Browser, old: str, clock: Time):
        clock.pass_(100)
        body = '{"type": "extend"}'
        response = another.ask(
            "post", f"/idlewatch/message/?for={old}", body, {"Sec-Fetch-Mode": "cors"}, content_type="application/json"
        )
        assert response.status_code == 401
        assert response.json()["page"] == "foreign"
        assert {last_active(watch_id) for watch_id in WatchedSession.objects.values_list("pk", flat=True)} == {START}

    @pytest.mark.parametrize("path", ["/idlewatch/message/", "/idlewatch/drafts/"])
    def test_it_hears_so_also_with_the_csrf_token_it_was_made_with(
        self, make_browser: Any, ann: User, bob: User, clock: Time, path: str
    ):
        browser = make_browser(enforce_csrf_checks=True)
        browser.visit("/login/")
        browser.client.force_login(ann)
        made = browser.poll("/idlewatch/page/").json()
        browser.client.force_login(bob)
        browser.client.cookies["csrftoken"] = "b" * 32

        def send(page: str) -> Any:
            sent = {"Sec-Fetch-Mode": "cors", "X-CSRFToken": made["csrf"]}
            return browser.ask("post", f"{path}?for={page}", "{}", sent, content_type="application/json")

        response = send(made["token"])
        assert (response.status_code, response.json()["page"]) == (401, "foreign")
        own = browser.poll("/idlewatch/page/").json()["token"]
        assert send(own).status_code == 403

    def test_so_does_one_whose_address_is_beyond_reading(self, browser: Browser, old: str):
        many = "&".join(f"a{number}=" for number in range(1100))
        assert browser.poll(f"/idlewatch/page/?{many}&for={old}").json() == {"page": "foreign"}
        assert browser.poll(f"/idlewatch/state/?{many}&for={old}").status_code == 401
        assert browser.poll(f"/idlewatch/drafts/?{many}&for={old}").status_code == 401

    @pytest.mark.parametrize("page", ["", "-", "x", "%00", "é-é", "a" * 5000, "a-b-c"])
    def test_a_token_that_is_none_fits_nobody(self, browser: Browser, old: str, page: str):
        assert ask(browser, "/idlewatch/page/", page).json() == {"page": "foreign"}


@pytest.mark.parametrize("path", PATHS)
def test_asking_is_no_activity_and_kept_by_no_cache(browser: Browser, old: str, clock: Time, path: str):
    clock.pass_(100)
    assert "no-store" in ask(browser, path, old).headers["Cache-Control"]
    assert last_active() == START


@pytest.mark.rule("R23")
def test_a_token_holds_no_key_and_no_watch_id(browser: Browser, old: str):
    assert browser.key is not None
    assert browser.key not in old
    assert record().pk not in old


class TestSignedIn:
    def test_the_small_window_ends_on_a_page_that_tells_the_others(self, browser: Browser, ann: User):
        browser.sign_in(ann)
        response = browser.visit("/idlewatch/signed-in/")
        assert response.status_code == 200
        html = response.content.decode()
        assert "data-idlewatch-close" in html
        assert 'id="idlewatch-client"' in html

    def test_nobody_is_sent_to_sign_in_first(self, browser: Browser):
        response = browser.visit("/idlewatch/signed-in/")
        assert response.status_code == 302
        assert response.headers["Location"] == "/login/?next=/idlewatch/signed-in/"


class TestClearSiteData:
    def test_it_is_off(self, browser: Browser, ann: User, clock: Time):
        browser.sign_in(ann)
        clock.pass_(1000)
        assert "Clear-Site-Data" not in browser.visit("/closed/").headers

    @pytest.mark.rule("R20")
    def test_an_end_clears_what_pages_have_stored(self, browser: Browser, ann: User, clock: Time, settings: Any):
        settings.IDLEWATCH = {"CLEAR_SITE_DATA": True}
        response = browser.sign_in(ann)
        assert "Clear-Site-Data" not in response.headers
        assert "Clear-Site-Data" not in browser.visit("/closed/").headers
        assert browser.submit("/idlewatch/logout/").headers["Clear-Site-Data"] == '"storage"'
        browser.sign_in(ann)
        clock.pass_(1000)
        assert browser.visit("/closed/").headers["Clear-Site-Data"] == '"storage"'
        assert browser.poll("/idlewatch/state/").status_code == 401

    def test_so_does_one_of_a_session_whose_key_was_about_to_be_replaced(self, wsgi: Browser, ann: User, settings: Any):
        settings.IDLEWATCH = {"CLEAR_SITE_DATA": True}
        wsgi.sign_in(ann)
        records.expect_rotation(record().pk)
        assert wsgi.submit("/idlewatch/logout/").headers["Clear-Site-Data"] == '"storage"'

    @pytest.mark.rule("R20")
    @pytest.mark.parametrize("after", [10, 1000], ids=["live", "ended"])
    def test_so_does_another_s_sign_in_over_it(
        self, browser: Browser, ann: User, bob: User, clock: Time, settings: Any, after: float
    ):
        settings.IDLEWATCH = {"CLEAR_SITE_DATA": True}
        browser.sign_in(ann)
        clock.pass_(after)
        assert browser.sign_in(bob).headers["Clear-Site-Data"] == '"storage"'
        assert "Clear-Site-Data" not in browser.visit("/closed/").headers

    @pytest.mark.parametrize("after", [10, 1000], ids=["live", "ended"])
    def test_the_same_user_s_does_not(self, browser: Browser, ann: User, clock: Time, settings: Any, after: float):
        settings.IDLEWATCH = {"CLEAR_SITE_DATA": True}
        browser.sign_in(ann)
        clock.pass_(after)
        assert "Clear-Site-Data" not in browser.sign_in(ann).headers

    @pytest.mark.parametrize("after", [0, 10, 1000], ids=["new", "live", "ended"])
    def test_a_late_answer_does_not_clear_what_the_next_user_has_stored(
        self, browser: Browser, ann: User, bob: User, clock: Time, settings: Any, after: float
    ):
        settings.IDLEWATCH = {"CLEAR_SITE_DATA": True}
        browser.sign_in(ann)
        key = browser.key
        assert key
        clock.pass_(after)
        browser.sign_in(bob)
        own = browser.key
        assert own
        browser.key = key
        late = browser.poll("/idlewatch/state/")
        assert late.status_code == 401
        assert "Clear-Site-Data" not in late.headers
        browser.key = own
        assert browser.submit("/idlewatch/logout/").headers["Clear-Site-Data"] == '"storage"'

    def test_nor_does_one_that_was_on_its_way_meanwhile(self, wsgi: Browser, ann: User, bob: User, settings: Any):
        settings.IDLEWATCH = {"CLEAR_SITE_DATA": True}
        wsgi.sign_in(ann)
        key = wsgi.key
        assert key

        def sign_in(_: object) -> None:
            site.during.clear()
            other = Browser(is_async=False)
            other.key = key
            other.sign_in(bob)

        site.during.append(sign_in)
        assert "Clear-Site-Data" not in wsgi.visit("/note/").headers


class TestHome:
    @pytest.mark.parametrize(
        ("given", "home"),
        [
            (None, "/"),
            ("", "/"),
            ("nowhere", "/"),
            ("/accounts/profile/", "/"),
            ("login", "/login/"),
            ("/start/", "/start/"),
        ],
    )
    def test_a_page_knows_where_the_next_user_is_to_start(
        self, wsgi: Browser, ann: User, settings: Any, given: str | None, home: str
    ):
        wsgi.sign_in(ann)
        settings.LOGIN_REDIRECT_URL = given
        response = wsgi.visit("/page/")
        assert response.status_code == 200
        assert f"&quot;home&quot;: &quot;{home}&quot;" in response.content.decode()
        assert wsgi.visit("/idlewatch/signed-in/").status_code == 200
