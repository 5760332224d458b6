"""Which session a page belongs to: it can outlive its own, and another user may sign in with the same browser."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from idlewatch.http.page_tokens import token_of
from idlewatch.models import WatchedSession
from idlewatch.monitor import service as monitor
from tests.conftest import START, Time
from tests.support.http import FETCH, Browser, last_active, record

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


def test_a_page_of_the_session_or_one_that_does_not_say_is_current(browser: Browser, old: str):
    answer = ask(browser, "/idlewatch/page/", old).json()
    assert (answer["page"], answer["token"]) == ("current", old)
    assert browser.poll("/idlewatch/page/").json()["page"] == "current"
    for state in (ask(browser, "/idlewatch/state/", old), browser.poll("/idlewatch/state/")):
        assert "page" not in state.json()


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

    def test_its_csrf_token_is_taken(self, ann: User, clock: Time):
        browser = Browser(enforce_csrf_checks=True)
        browser.visit("/login/")
        browser.client.force_login(ann)
        answer = ask(browser, "/idlewatch/page/", "none-of-these").json()
        assert answer == {"page": "foreign"}
        answer = browser.poll("/idlewatch/page/").json()
        assert browser.say('{"type": "sync"}', **{"X-CSRFToken": answer["csrf"]}).status_code == 200


class TestForeign:
    def test_a_page_of_another_user_gets_nothing_but_that_its_session_is_over(
        self, browser: Browser, bob: User, old: str, clock: Time
    ):
        browser.sign_in(bob)
        assert ask(browser, "/idlewatch/page/", old).json() == {"page": "foreign"}
        clock.pass_(100)
        message = f"/idlewatch/message/?for={old}"
        extended = browser.ask("post", message, '{"type": "extend"}', FETCH, content_type="application/json")
        for response in (ask(browser, "/idlewatch/state/", old), extended):
            frame = response.json()
            assert response.status_code == 401
            assert (frame["phase"], frame["reason"], frame["page"]) == ("ended", "logout", "foreign")
        assert {last_active(watch_id) for watch_id in WatchedSession.objects.values_list("pk", flat=True)} == {START}

    @pytest.mark.parametrize("path", ["/idlewatch/message/", "/idlewatch/drafts/"])
    def test_it_learns_so_also_with_the_csrf_token_it_was_made_with(self, ann: User, bob: User, clock: Time, path: str):
        browser = Browser(enforce_csrf_checks=True)
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


@pytest.mark.parametrize("path", PATHS)
def test_asking_is_no_activity_and_kept_by_no_cache(browser: Browser, old: str, clock: Time, path: str):
    clock.pass_(100)
    assert "no-store" in ask(browser, path, old).headers["Cache-Control"]
    assert last_active() == START


class TestSignedIn:
    def test_the_small_window_ends_on_a_page_that_tells_the_others(self, browser: Browser, ann: User):
        browser.sign_in(ann)
        response = browser.visit("/idlewatch/signed-in/")
        assert response.status_code == 200
        html = response.content.decode()
        assert "data-idlewatch-close" in html
        assert 'id="idlewatch-client"' in html

    def test_an_anonymous_user_has_to_sign_in_first(self, browser: Browser):
        response = browser.visit("/idlewatch/signed-in/")
        assert response.status_code == 302
        assert response.headers["Location"] == "/login/?next=/idlewatch/signed-in/"


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
        self, browser: Browser, ann: User, settings: Any, given: str | None, home: str
    ):
        browser.sign_in(ann)
        settings.LOGIN_REDIRECT_URL = given
        response = browser.visit("/page/")
        assert response.status_code == 200
        assert f"&quot;home&quot;: &quot;{home}&quot;" in response.content.decode()
        assert browser.visit("/idlewatch/signed-in/").status_code == 200
