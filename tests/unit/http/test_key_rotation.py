"""Sessions get new keys, and secrets are replaced, while their users work."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth import get_user_model, update_session_auth_hash
from django.contrib.auth.models import User
from django.db import connections
from django.http import HttpRequest

from idlewatch.core.activity import Reason
from idlewatch.monitor import django_sessions, stores
from idlewatch.monitor import service as monitor
from tests.conftest import Time
from tests.support import http_site
from tests.support.http import ENGINES, PASSWORD, Browser, record, records, restart_server, tick, user_of

KEYED = [engine for engine in ENGINES if engine != "signed_cookies"]
ROTATIONS = ["/rotate/", "/change-password/"]


@pytest.fixture
def other(signed_in: Browser) -> Browser:
    """Another request of the same browser, which set out with the same cookie."""
    other = Browser()
    other.key = signed_in.key
    return other


def rotate(browser: Browser, path: str) -> str:
    """Give the session a new key; return the old one."""
    old = browser.key
    assert browser.submit(path, {"password": "new " + PASSWORD}).status_code == 200
    assert old is not None
    assert browser.key not in {None, old}
    return old


@pytest.mark.rule("R16")
@pytest.mark.parametrize("path", ROTATIONS)
def test_a_session_keeps_its_watch_under_its_new_key(signed_in: Browser, clock: Time, path: str):
    watch_id = record().pk
    for _ in range(2):
        old = rotate(signed_in, path)
        clock.pass_(60)
        tick(clock)
        clock.pass_(10)
        tick(clock)
        assert user_of(signed_in) == "ann"
    assert (record().pk, record().reason) == (watch_id, "")
    watched = stores.current().sessions.get(watch_id)
    assert watched is not None
    assert watched.key == signed_in.key
    assert record().session_digest == django_sessions.digest(signed_in.key)
    assert record().previous_digest == django_sessions.digest(old)


@pytest.mark.parametrize(("name", "reason"), [("ann", "logout"), ("bob", "")])
def test_a_sign_in_with_a_key_that_was_replaced_ends_the_session_of_the_same_user(
    signed_in: Browser, bob: User, name: str, reason: str
):
    late = Browser()
    late.key = rotate(signed_in, "/rotate/")
    late.sign_in(name)
    assert sorted(records()) == sorted([("ann", reason), (name, "")])
    assert user_of(late) == name


def test_a_sign_in_with_a_key_that_was_replaced_ends_no_session_where_its_view_fails(signed_in: Browser, ann: User):
    late = Browser(raise_request_exception=False)
    late.key = rotate(signed_in, "/rotate/")
    assert late.submit("/failing-login/", {"username": "ann", "password": PASSWORD}).status_code == 500
    assert user_of(signed_in) == "ann"


def test_a_view_that_outlives_its_session_leaves_the_cookie_of_the_sign_in_that_ended_it(
    signed_in: Browser, other: Browser, bob: User
):
    def sign_in_over_it(_: HttpRequest) -> None:
        other.sign_in(bob)
        signed_in.key = str(other.key)

    http_site.during += [lambda request: request.session.update({"note": 1}), sign_in_over_it]
    signed_in.submit("/meanwhile/")
    assert user_of(signed_in) == "bob"


@pytest.mark.parametrize("path", ["/rotate/", "/arotate/"])
def test_a_session_that_is_not_watched_gets_its_new_key_too(browser: Browser, path: str):
    browser.submit("/first-step/")
    old = browser.key
    browser.submit(path)
    assert browser.key not in {None, old}
    assert browser.client.session["pending"] == 1
    assert records() == []


@pytest.mark.parametrize("engine", KEYED, indirect=True)
def test_the_end_takes_the_session_of_the_new_key_also_after_a_restart(
    browser: Browser, ann: User, clock: Time, engine: str
):
    browser.sign_in(ann)
    old = rotate(browser, "/rotate/")
    new = browser.key
    restart_server()
    browser.visit("/closed/")
    monitor.end(record().pk, Reason.REVOKED, clock.now)
    tick(clock)
    assert django_sessions.standing([old, str(new)]) == set()
    for key in (old, str(new)):
        browser.key = key
        assert browser.poll("/api/").headers["Idlewatch-Ended"] == "revoked"


@pytest.mark.rule("R16")
@pytest.mark.parametrize("engine", KEYED, indirect=True)
@pytest.mark.parametrize("path", ROTATIONS)
def test_the_old_key_is_dead_and_harms_nothing(browser: Browser, ann: User, clock: Time, engine: str, path: str):
    browser.sign_in(ann)
    old = rotate(browser, path)
    new, browser.key = browser.key, old
    assert user_of(browser) == ""
    # The browser has the newer cookie by now: the answer must not delete it.
    assert browser.key == old
    browser.key = str(new)
    assert user_of(browser) == "ann"
    assert records() == [("ann", "")]


class TestRequestInFlight:
    """One request gives the session a new key while another, that came with the old one, is under way."""

    @pytest.mark.parametrize("path", ROTATIONS)
    def test_one_that_comes_to_another_process_before_the_first_is_answered(
        self, signed_in: Browser, other: Browser, clock: Time, path: str
    ):
        old = other.key

        def ask() -> Any:
            try:
                return other.poll("/api/")
            finally:
                connections.close_all()

        def ask_elsewhere(_: object) -> None:
            # That process knows nothing of the request under way here but what the record says.
            with (
                mock.patch("idlewatch.http.follow_up.is_shared", return_value=False),
                ThreadPoolExecutor(1) as elsewhere,
            ):
                assert "Idlewatch-Ended" not in elsewhere.submit(ask).result().headers

        http_site.during.append(ask_elsewhere)
        rotate(signed_in, path)
        assert other.key == old
        assert user_of(signed_in) == "ann"
        clock.pass_(60)
        tick(clock)
        assert records() == [("ann", "")]

    @pytest.mark.parametrize("path", ROTATIONS)
    def test_one_that_began_before_and_ends_after_it(self, signed_in: Browser, other: Browser, path: str):
        old = other.key

        def happen(_: object) -> None:
            http_site.during.clear()
            rotate(signed_in, path)

        http_site.during.append(happen)
        assert other.visit("/meanwhile/").status_code == 200
        assert other.key == old
        assert user_of(signed_in) == "ann"
        assert records() == [("ann", "")]

    @pytest.mark.parametrize("path", ROTATIONS)
    def test_one_that_read_its_session_before_it_leaves_the_record(
        self, signed_in: Browser, other: Browser, monkeypatch: pytest.MonkeyPatch, path: str
    ):
        look = monitor.look

        def overtaken(*args: Any) -> Any:
            monkeypatch.setattr(monitor, "look", look)
            rotate(signed_in, path)
            return look(*args)

        monkeypatch.setattr(monitor, "look", overtaken)
        other.poll("/bare/")
        watched = stores.current().sessions.get(record().pk)
        assert watched is not None
        assert watched.key == signed_in.key
        assert record().session_digest == django_sessions.digest(signed_in.key)
        assert record().auth_digest == django_sessions.auth_digest_of(signed_in.client.session)

    def test_the_timer_does_not_take_it_for_lost(self, signed_in: Browser, clock: Time):
        http_site.during.append(lambda _: clock.pass_(60))
        http_site.during.append(lambda _: tick(clock))
        rotate(signed_in, "/change-password/")
        assert user_of(signed_in) == "ann"
        assert records() == [("ann", "")]

    def test_one_whose_session_is_flushed_meanwhile_has_ended_when_the_view_returns(
        self, signed_in: Browser, other: Browser
    ):
        reasons = []
        http_site.during.append(lambda request: request.session.flush())
        http_site.during.append(lambda _: reasons.append(other.poll("/api/").headers.get("Idlewatch-Ended")))
        signed_in.visit("/meanwhile/")
        assert reasons == [None]
        assert other.poll("/api/").headers["Idlewatch-Ended"] == "lost"
        assert signed_in.key is None


@pytest.mark.usefixtures("engine")
def test_a_poll_before_the_session_has_the_new_password_leaves_it(signed_in: Browser, other: Browser, ann: User):
    def change(request: HttpRequest) -> None:
        assert request.user == ann
        user = get_user_model().objects.get(pk=ann.pk)
        user.set_password("new")
        user.save()
        other.poll("/api/")
        update_session_auth_hash(request, user)

    http_site.during.append(change)
    signed_in.submit("/meanwhile/")
    http_site.during.clear()
    assert signed_in.visit("/closed/").status_code == 200
    assert records() == [("ann", "")]


@pytest.mark.usefixtures("engine")
def test_an_old_copy_of_a_session_that_went_on_leaves_it(signed_in: Browser, other: Browser):
    def change(request: HttpRequest) -> None:
        http_site.during.clear()
        other.submit("/change-password/", {"password": "new"})
        request.user.get_username()

    http_site.during.append(change)
    signed_in.poll("/meanwhile/")
    assert other.visit("/closed/").status_code == 200
    assert records() == [("ann", "")]


@pytest.mark.rule("R9")
@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("engine", ["signed_cookies"], indirect=True)
def test_a_signed_cookie_from_before_a_new_password_is_refused(signed_in: Browser, other: Browser):
    signed_in.submit("/change-password/", {"password": "new"})
    assert other.poll("/api/").status_code == 401
    assert signed_in.visit("/closed/").status_code == 200
    assert records() == [("ann", "")]


class TestSecretKey:
    @pytest.fixture
    def rotated(self, engine: str, signed_in: Browser, settings: Any) -> Browser:
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "another"
        return signed_in

    def test_live_sessions_go_on_and_stand_by_the_new_key_alone_once_they_were_used(
        self, rotated: Browser, clock: Time, settings: Any
    ):
        assert rotated.poll("/idlewatch/state/").json()["phase"] == "active"
        for seconds in (60, 10):
            clock.pass_(seconds)
            tick(clock)
        restart_server()
        for _ in range(2):
            assert rotated.visit("/closed/").json()["user"] == "ann"
        settings.SECRET_KEY_FALLBACKS = []
        for _ in range(2):
            clock.pass_(70)
            tick(clock)
        assert user_of(rotated) == "ann"
        assert records() == [("ann", "")]

    def test_an_ended_one_stays_ended(self, rotated: Browser, clock: Time):
        key = rotated.key
        monitor.end(record().pk, Reason.REVOKED, clock.now)
        tick(clock)
        restart_server()
        for _ in range(2):
            rotated.key = str(key)
            assert rotated.poll("/api/").headers["Idlewatch-Ended"] == "revoked"

    def test_without_the_fallback_no_user_is_signed_in(self, signed_in: Browser, clock: Time, settings: Any):
        settings.SECRET_KEY = "another"
        assert user_of(signed_in) == ""
