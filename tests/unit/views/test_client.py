"""The way over HTTP, for networks that block sockets: the same messages, the same code (SPEC, HTTP)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from idlewatch.core.activity import Reason
from idlewatch.core.events import TabClosed, TabOpened
from idlewatch.monitor import service as monitor
from tests.conftest import START, Time
from tests.support.http import FETCH, NAVIGATION, PASSWORD, Browser, last_active, record


@pytest.fixture
def page(browser: Browser, ann: User) -> Browser:
    browser.sign_in(ann)
    return browser


class TestState:
    def test_it_is_told_and_costs_no_activity(self, page: Browser, clock: Time):
        clock.pass_(790)
        told = page.poll("/idlewatch/state/").json()
        assert (told["type"], told["phase"], told["reason"], told["remaining"]) == ("state", "warned", "idle", 110.0)
        assert last_active() == START

    def test_without_a_session_it_is_a_401_with_an_ended_frame(self, browser: Browser):
        response = browser.poll("/idlewatch/state/")
        assert response.status_code == 401
        frame = response.json()
        assert (frame["phase"], frame["reason"], frame["login_url"]) == ("ended", None, "/login/")

    def test_after_the_end_it_is_a_401_with_the_reason(self, page: Browser, clock: Time):
        clock.pass_(900)
        response = page.poll("/idlewatch/state/")
        assert response.status_code == 401
        assert response.json()["reason"] == response.headers["Idlewatch-Ended"] == "idle"
        assert page.poll("/idlewatch/state/").json()["reason"] == "idle", "told again, from the cookie"

    def test_no_cache_keeps_it(self, page: Browser):
        for response in (page.poll("/idlewatch/state/"), page.say('{"type": "sync"}')):
            assert "no-store" in response.headers["Cache-Control"]

    def test_a_browser_that_goes_there_is_told_too(self, page: Browser, clock: Time):
        clock.pass_(900)
        assert page.visit("/idlewatch/state/").json()["reason"] == "idle"

    def test_it_takes_no_post(self, page: Browser):
        assert page.ask("post", "/idlewatch/state/", headers=FETCH).status_code == 405


class TestMessages:
    def test_activity_counts_from_its_own_moment_and_an_extension_in_the_warning_too(self, page: Browser, clock: Time):
        clock.pass_(100)
        told = page.say('{"type": "activity", "ago": 30}').json()
        assert told["remaining"] == 870
        assert last_active() == START + 70
        clock.pass_(770)
        assert page.say('{"type": "activity"}').json()["phase"] == "warned"
        told = page.say('{"type": "extend"}').json()
        assert (told["phase"], told["remaining"]) == ("active", 900)

    def test_a_hold_keeps_the_clock_still_until_it_is_released(self, page: Browser, clock: Time):
        assert page.say('{"type": "hold", "id": "a", "label": "Uploading"}').json()["held"]
        clock.pass_(59)
        assert page.say('{"type": "sync"}').json()["remaining"] == 900
        told = page.say('{"type": "release", "id": "a"}').json()
        assert (told["held"], told["remaining"]) == (False, 900)

    def test_a_hold_that_is_refused_says_so(self, browser: Browser, ann: User, settings: Any):
        settings.IDLEWATCH = {"HOLD_LIMIT": 0}
        browser.sign_in(ann)
        response = browser.say('{"type": "hold", "id": "a"}')
        assert response.status_code == 400
        assert response.json()["code"] == "hold_refused"

    @pytest.mark.rule("R4", "R24")
    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ("nope", "bad_json"),
            (b"\xff\xfe", "bad_json"),
            ('{"type": "shout"}', "bad_message"),
            ('{"type": "activity", "ago": -1}', "bad_value"),
            ('{"type": "hold", "id": "a", "label": "' + "x" * 2000 + '"}', "too_large"),
        ],
    )
    def test_a_bad_one_is_a_400_that_says_what_is_wrong(self, page: Browser, body: str | bytes, code: str):
        response = page.say(body)
        assert response.status_code == 400
        error = response.json()
        assert (error["type"], error["code"]) == ("error", code)
        assert error["detail"]

    def test_more_than_the_site_reads_is_too_large(self, page: Browser, settings: Any):
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 2000
        response = page.say("x" * 3000)
        assert (response.status_code, response.json()["code"]) == (400, "too_large")

    @pytest.mark.rule("R1")
    def test_nothing_revives_an_ended_session(self, page: Browser, clock: Time):
        clock.pass_(900)
        response = page.say('{"type": "extend"}')
        assert response.status_code == 401
        assert response.json()["phase"] == "ended"

    @pytest.mark.parametrize("body", ['{"type": "extend"}', "nope"])
    def test_without_a_session_it_is_a_401(self, browser: Browser, body: str):
        assert browser.say(body).status_code == 401

    def test_a_page_that_asks_over_http_keeps_the_browser_open(self, page: Browser, clock: Time):
        page.poll("/idlewatch/state/")
        monitor.look(record().pk, clock.now, TabOpened("p", 5))
        monitor.look(record().pk, clock.now + 1, TabClosed("p", closed=True))
        clock.pass_(301)
        assert page.poll("/idlewatch/state/").status_code == 200

    @pytest.mark.parametrize("body", [None, '{"type": "sync"}'])
    def test_a_call_shows_that_the_browser_is_not_closed(self, page: Browser, clock: Time, body: str | None):
        monitor.look(record().pk, clock.now, TabOpened("p", 5))
        monitor.look(record().pk, clock.now, TabClosed("p", closed=True))
        clock.pass_(299)
        answer = page.poll("/idlewatch/state/") if body is None else page.say(body)
        assert answer.json()["remaining"] == 601


class TestCsrf:
    def token(self, client: Client) -> str:
        found = re.search(
            r"&quot;csrf&quot;: &quot;(\w+)&quot;", client.get("/page/", headers=NAVIGATION).content.decode()
        )
        assert found is not None
        return found[1]

    @pytest.mark.parametrize(
        "kept",
        [{}, {"CSRF_USE_SESSIONS": True}, {"CSRF_COOKIE_HTTPONLY": True}],
        ids=["cookie", "session", "http-only"],
    )
    def test_a_message_needs_the_token_that_the_tag_hands_out(
        self, ann: User, clock: Time, settings: Any, kept: dict[str, bool]
    ):
        for key, value in kept.items():
            setattr(settings, key, value)
        client = Client(enforce_csrf_checks=True)
        client.force_login(ann)
        token = self.token(client)

        def say(**headers: str) -> int:
            return client.post(
                "/idlewatch/message/", '{"type": "sync"}', content_type="application/json", headers=FETCH | headers
            ).status_code

        assert say() == 403
        assert say(**{"X-CSRFToken": "0" * 64}) == 403
        assert say(**{"X-CSRFToken": token}) == 200

    def test_a_form_is_no_message(self, ann: User, clock: Time):
        client = Client(enforce_csrf_checks=True)
        client.force_login(ann)
        data = {"csrfmiddlewaretoken": self.token(client), "type": "sync"}
        response = client.post("/idlewatch/message/", data, headers=NAVIGATION)
        assert (response.status_code, response.json()["code"]) == (400, "bad_json")

    def test_a_form_that_signs_in_again_after_the_end_is_taken(self, ann: User, clock: Time, settings: Any):
        settings.CSRF_USE_SESSIONS = True
        client = Client(enforce_csrf_checks=True)
        client.force_login(ann)
        token = self.token(client)
        clock.pass_(900)
        data = {"username": "ann", "password": PASSWORD, "csrfmiddlewaretoken": token}
        assert client.post("/login/", data, headers=NAVIGATION).status_code == 302
        assert client.get("/closed/", headers=NAVIGATION).json()["user"] == "ann"

    @pytest.mark.rule("R42")
    def test_logging_out_by_the_warning_needs_it_too(self, ann: User, clock: Time):
        client = Client(enforce_csrf_checks=True)
        client.force_login(ann)
        token = self.token(client)
        assert client.post("/idlewatch/logout/", headers=NAVIGATION).status_code == 403
        response = client.post("/idlewatch/logout/", {"csrfmiddlewaretoken": token}, headers=NAVIGATION)
        assert (response.status_code, response.url) == (302, "/public/")
        assert record().reason == Reason.LOGOUT
