"""The way over HTTP, for networks that block sockets: the same messages, the same code (SPEC, HTTP)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from idlewatch.core.activity import Reason
from idlewatch.core.events import Event, Polled
from idlewatch.http import follow_up
from idlewatch.models import WatchedSession
from idlewatch.monitor import service as monitor
from idlewatch.store.values import Watched
from tests.conftest import START, Time
from tests.support.http import FETCH, NAVIGATION, PASSWORD, Browser, close_last_tab, last_active, record
from tests.support.processes import lose_store


class TestState:
    def test_it_is_returned_and_is_no_activity(self, signed_in: Browser, clock: Time):
        clock.pass_(790)
        state = signed_in.poll("/idlewatch/state/").json()
        assert (state["phase"], state["reason"], state["remaining"]) == ("warned", "idle", 110.0)
        assert last_active() == START

    @pytest.mark.parametrize(("took", "remaining"), [(4.0, 106.0), (200.0, 110.0)])
    def test_what_remains_is_that_of_the_moment_in_which_it_is_answered(
        self, took: float, remaining: float, signed_in: Browser, clock: Time, monkeypatch: pytest.MonkeyPatch
    ):
        clock.pass_(790)
        look = monitor.look

        def slow(watch_id: str, now: float, event: Event | None = None, *sessions: Any) -> Watched | None:
            found = look(watch_id, now, event, *sessions)
            if isinstance(event, Polled):
                clock.pass_(took)
            return found

        monkeypatch.setattr(monitor, "look", slow)
        assert signed_in.poll("/idlewatch/state/").json()["remaining"] == remaining

    @pytest.mark.parametrize(("took", "remaining"), [(0.2, 110.0), (4.0, 106.0)])
    def test_nor_does_it_grow_while_the_middleware_follows_the_view(
        self, took: float, remaining: float, signed_in: Browser, clock: Time, monkeypatch: pytest.MonkeyPatch
    ):
        clock.pass_(790)
        monkeypatch.setattr(follow_up, "on_sent", lambda *_: clock.pass_(took))
        assert signed_in.poll("/idlewatch/state/").json()["remaining"] == remaining

    def test_without_a_session_it_is_a_401_with_an_ended_frame(self, browser: Browser):
        response = browser.poll("/idlewatch/state/")
        assert response.status_code == 401
        frame = response.json()
        assert (frame["phase"], frame["reason"], frame["login_url"]) == ("ended", None, "/login/")

    def test_after_the_end_it_is_a_401_with_the_reason(self, signed_in: Browser, clock: Time):
        clock.pass_(900)
        response = signed_in.poll("/idlewatch/state/")
        assert response.status_code == 401
        assert response.json()["reason"] == response.headers["Idlewatch-Ended"] == "idle"
        assert signed_in.poll("/idlewatch/state/").json()["reason"] == "idle", "again, from the cookie"
        assert signed_in.visit("/idlewatch/state/").json()["reason"] == "idle", "also to a browser that goes there"

    def test_of_a_session_that_is_gone_meanwhile_it_is_the_one_that_the_request_found(
        self, signed_in: Browser, monkeypatch: pytest.MonkeyPatch
    ):
        look = monitor.look

        def overtaken(watch_id: str, now: float, event: Event | None = None, *sessions: Any) -> Watched | None:
            if isinstance(event, Polled):
                WatchedSession.objects.all().delete()
                lose_store()
            return look(watch_id, now, event, *sessions)

        monkeypatch.setattr(monitor, "look", overtaken)
        response = signed_in.poll("/idlewatch/state/")
        assert (response.status_code, response.json()["phase"]) == (200, "active")
        assert signed_in.poll("/idlewatch/state/").status_code == 401

    def test_it_takes_no_post(self, signed_in: Browser):
        assert signed_in.ask("post", "/idlewatch/state/", headers=FETCH).status_code == 405


class TestMessages:
    def test_no_cache_keeps_the_answer(self, signed_in: Browser):
        assert "no-store" in signed_in.say('{"type": "sync"}').headers["Cache-Control"]

    def test_activity_counts_from_its_own_moment_and_an_extension_while_warned(self, signed_in: Browser, clock: Time):
        clock.pass_(100)
        state = signed_in.say('{"type": "activity", "ago": 30}').json()
        assert state["remaining"] == 870
        assert last_active() == START + 70
        clock.pass_(770)
        assert signed_in.say('{"type": "activity"}').json()["phase"] == "warned"
        state = signed_in.say('{"type": "extend"}').json()
        assert (state["phase"], state["remaining"]) == ("active", 900)

    def test_a_hold_keeps_the_clock_still_until_it_is_released(self, signed_in: Browser, clock: Time):
        assert signed_in.say('{"type": "hold", "id": "a", "label": "Uploading"}').json()["held"]
        clock.pass_(59)
        assert signed_in.say('{"type": "sync"}').json()["remaining"] == 900
        state = signed_in.say('{"type": "release", "id": "a"}').json()
        assert (state["held"], state["remaining"]) == (False, 900)

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
            (b"\xff\xfe", "bad_json"),
            ('{"type": "activity", "ago": -1}', "bad_value"),
            ('{"type": "hold", "id": "a", "label": "' + "x" * 2000 + '"}', "too_large"),
        ],
    )
    def test_a_bad_one_is_a_400_that_says_what_is_wrong(self, signed_in: Browser, body: str | bytes, code: str):
        response = signed_in.say(body)
        assert response.status_code == 400
        error = response.json()
        assert (error["type"], error["code"]) == ("error", code)
        assert error["detail"]

    @pytest.mark.rule("R1")
    def test_nothing_revives_an_ended_session(self, signed_in: Browser, clock: Time):
        clock.pass_(900)
        response = signed_in.say('{"type": "extend"}')
        assert response.status_code == 401
        assert response.json()["phase"] == "ended"

    @pytest.mark.parametrize("body", ['{"type": "extend"}', "nope"])
    def test_without_a_session_it_is_a_401(self, browser: Browser, body: str):
        assert browser.say(body).status_code == 401

    def test_a_page_that_asks_over_http_keeps_the_browser_open(self, signed_in: Browser, clock: Time):
        signed_in.poll("/idlewatch/state/")
        clock.pass_(1)
        close_last_tab(clock)
        clock.pass_(300)
        assert signed_in.poll("/idlewatch/state/").status_code == 200

    @pytest.mark.parametrize("body", [None, '{"type": "sync"}'])
    def test_a_call_shows_that_the_browser_is_not_closed(self, signed_in: Browser, clock: Time, body: str | None):
        close_last_tab(clock)
        clock.pass_(299)
        answer = signed_in.poll("/idlewatch/state/") if body is None else signed_in.say(body)
        assert answer.json()["remaining"] == 601


class TestCsrf:
    @pytest.fixture
    def client(self, ann: User, clock: Time) -> Client:
        client = Client(enforce_csrf_checks=True)
        client.force_login(ann)
        return client

    def token(self, client: Client) -> str:
        page = client.get("/page/", headers=NAVIGATION).content.decode()
        [token] = re.findall(r"&quot;csrf&quot;: &quot;(\w+)&quot;", page)
        [self.header] = re.findall(r"&quot;csrfHeader&quot;: &quot;([\w-]+)&quot;", page)
        return token

    @pytest.mark.parametrize(
        "kept",
        [
            {},
            {"CSRF_USE_SESSIONS": True},
            {"CSRF_COOKIE_HTTPONLY": True},
            {"CSRF_COOKIE_NAME": "XSRF-TOKEN", "CSRF_HEADER_NAME": "HTTP_X_XSRF_TOKEN"},
        ],
        ids=["cookie", "session", "http-only", "other-names"],
    )
    def test_a_message_needs_the_token_that_the_tag_hands_out(
        self, client: Client, settings: Any, kept: dict[str, Any]
    ):
        for key, value in kept.items():
            setattr(settings, key, value)
        token = self.token(client)

        def say(**headers: str) -> int:
            return client.post(
                "/idlewatch/message/", '{"type": "sync"}', content_type="application/json", headers=FETCH | headers
            ).status_code

        assert say() == 403
        assert say(**{self.header: "0" * 64}) == 403
        assert say(**{self.header: token}) == 200

    def test_a_form_that_signs_in_again_after_the_end_is_taken(self, client: Client, clock: Time, settings: Any):
        settings.CSRF_USE_SESSIONS = True
        token = self.token(client)
        clock.pass_(900)
        data = {"username": "ann", "password": PASSWORD, "csrfmiddlewaretoken": token}
        assert client.post("/login/", data, headers=NAVIGATION).status_code == 302
        assert client.get("/closed/", headers=NAVIGATION).json()["user"] == "ann"

    @pytest.mark.rule("R42")
    def test_logging_out_by_the_warning_needs_it_too(self, client: Client):
        token = self.token(client)
        assert client.post("/idlewatch/logout/", headers=NAVIGATION).status_code == 403
        response = client.post("/idlewatch/logout/", {"csrfmiddlewaretoken": token}, headers=NAVIGATION)
        assert (response.status_code, response.url) == (302, "/public/")
        assert record().reason == Reason.LOGOUT
