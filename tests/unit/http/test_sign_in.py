"""Sessions that a sign-in starts, continues or ends."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.contrib.sessions.models import Session
from django.db import connection
from django.http import HttpRequest
from django.test import Client, RequestFactory

from idlewatch.core.activity import Reason
from idlewatch.models import WatchedSession
from idlewatch.monitor import django_sessions
from idlewatch.monitor import service as monitor
from idlewatch.monitor.impersonation import IMPERSONATOR_KEY
from idlewatch.process import now
from tests.conftest import START, Time
from tests.support import http_site
from tests.support.http import PASSWORD, Browser, last_active, record, records, tick, user_of
from tests.support.probes import probing
from tests.support.processes import lose_store

Signals = list[tuple[str, Any]]


class SlowBackend(ModelBackend):
    """Checks a password for longer than the idle limit."""

    clock: Time

    def authenticate(self, *args: Any, **kwargs: Any) -> Any:
        self.clock.pass_(901)
        return super().authenticate(*args, **kwargs)


class TestNewSession:
    def test_it_is_watched_recorded_and_announced_once(
        self, browser: Browser, ann: User, clock: Time, signals: Signals
    ):
        browser.ask("post", "/login/", {"username": "ann", "password": PASSWORD}, {"User-Agent": "Lynx"})
        browser.visit("/closed/")
        kept = record()
        assert (kept.user, kept.username, kept.reason, kept.ended) == (ann, "ann", "", None)
        assert {kept.started.timestamp(), kept.signed_in.timestamp(), kept.last_active.timestamp()} == {START}
        assert (kept.address, kept.user_agent) == ("127.0.0.1", "Lynx")
        assert signals == [("opened", kept.pk)]

    def test_its_record_has_as_much_of_a_long_name_as_it_can_hold(self, browser: Browser):
        browser.client.force_login(User.objects.create(username="a" * 300))
        browser.visit("/closed/")
        assert record().username == "a" * 254

    @pytest.mark.rule("R16")
    def test_it_has_a_key_of_its_own(self, browser: Browser, ann: User):
        browser.visit("/note/")
        anonymous = browser.key
        browser.sign_in(ann)
        assert anonymous is not None
        assert browser.key != anonymous
        browser.key, signed_in = anonymous, browser.key
        assert user_of(browser) == ""
        browser.key = str(signed_in)
        assert user_of(browser) == "ann"

    def test_a_sign_in_that_fails_is_not_watched(self, browser: Browser, ann: User, signals: Signals):
        browser.submit("/login/", {"username": "ann", "password": "wrong"})
        browser.submit("/api-login/", {"username": "ann", "password": "wrong"})
        assert (records(), signals) == ([], [])

    def test_a_view_may_sign_a_user_in_and_change_the_password_at_once(self, browser: Browser, clock: Time):
        browser.submit("/sign-up/", {"username": "eve", "password": PASSWORD})
        assert user_of(browser) == "eve"
        tick(clock)
        clock.pass_(100)
        tick(clock)
        assert user_of(browser) == "eve"
        assert records() == [("eve", "")]


class TestFailedAfterwards:
    def test_a_sign_in_whose_answer_failed_leaves_no_session_behind(self, ann: User):
        browser = Browser(raise_request_exception=False)
        assert browser.submit("/failing-login/", {"username": "ann", "password": PASSWORD}).status_code == 500
        assert user_of(browser) == ""
        assert browser.key is None
        assert not WatchedSession.objects.filter(ended=None).exists()
        assert not Session.objects.exists()

    @pytest.mark.parametrize("engine", ["db", "cache", "signed_cookies"], indirect=True)
    def test_one_that_was_taken_back_leaves_nothing(self, browser: Browser, ann: User, engine: str, signals: Signals):
        response = browser.submit("/failing-login/", {"username": "ann", "password": PASSWORD, "rollback": "1"})
        assert response.status_code == 200
        assert browser.key is None
        assert user_of(browser) == ""
        assert (records(), signals) == ([], [])

    def test_with_a_transaction_for_each_request_too(
        self, ann: User, clock: Time, monkeypatch: pytest.MonkeyPatch, signals: Signals
    ):
        monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
        browser = Browser(raise_request_exception=False)
        browser.submit("/failing-login/", {"username": "ann", "password": PASSWORD})
        assert (records(), signals, browser.key) == ([], [], None)
        browser.sign_in(ann)
        assert signals == [("opened", record().pk)]
        assert user_of(browser) == "ann"


class TestSameUser:
    @pytest.fixture
    def again(self, browser: Browser, ann: User, clock: Time) -> Browser:
        browser.sign_in(ann)
        clock.pass_(800)
        return browser

    @pytest.mark.rule("R3")
    def test_signing_in_again_keeps_the_watch_and_restarts_both_clocks(
        self, again: Browser, ann: User, clock: Time, signals: Signals, settings: Any
    ):
        settings.IDLEWATCH = {"ABSOLUTE_TIMEOUT": 2000}
        signals.clear()
        watch_id = record().pk
        again.sign_in(ann)
        kept = record()
        assert (kept.pk, kept.ended, kept.started.timestamp()) == (watch_id, None, START)
        assert kept.signed_in.timestamp() == kept.last_active.timestamp() == START + 800
        assert signals == []
        for _ in range(2):
            clock.pass_(800)
            assert again.visit("/closed/").status_code == 200
        clock.pass_(400)
        assert again.visit("/open/").json()["reason"] == "absolute"

    @pytest.mark.rule("R16")
    def test_it_has_a_new_key_and_the_old_one_is_dead(self, again: Browser, ann: User):
        old = again.key
        again.sign_in(ann)
        new = again.key
        assert len({None, old, new}) == 3
        again.key = str(old)
        assert user_of(again) == ""
        # The browser has the newer cookie by now: the answer must not delete it.
        assert again.key == old
        assert again.visit("/closed/").status_code == 302
        again.key = str(new)
        assert user_of(again) == "ann"

    @pytest.mark.parametrize("by_force", [False, True])
    def test_after_the_end_it_is_a_session_of_its_own(self, again: Browser, ann: User, clock: Time, by_force: bool):
        clock.pass_(100)
        again.client.force_login(ann) if by_force else again.sign_in(ann)
        tick(clock)
        assert user_of(again) == "ann"
        assert records() == [("ann", "idle"), ("ann", "")]

    def test_where_it_ends_between_the_requests_arrival_and_the_sign_in_so_is_that(
        self, again: Browser, ann: User, clock: Time, settings: Any, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(SlowBackend, "clock", clock, raising=False)
        settings.AUTHENTICATION_BACKENDS = [
            "tests.unit.http.test_sign_in.SlowBackend",
            *settings.AUTHENTICATION_BACKENDS,
        ]
        again.sign_in(ann)
        assert user_of(again) == "ann"
        assert records() == [("ann", "idle"), ("ann", "")]

    def test_one_that_ends_meanwhile_is_not_brought_back(self, again: Browser, ann: User, settings: Any):
        settings.IDLEWATCH = {"POLICY": "tests.unit.http.test_sign_in.revoking"}
        again.sign_in(ann)
        assert user_of(again) == "ann"
        assert records() == [("ann", "revoked"), ("ann", "")]

    def test_a_sign_in_by_force_is_one_too(self, again: Browser, ann: User, clock: Time):
        again.client.force_login(ann)
        assert user_of(again) == "ann"
        assert records() == [("ann", "")]
        assert last_active() == clock.now


class TestOverProbe:
    def test_it_begins_a_session_of_its_own(self, ann: User, clock: Time, signals: Signals):
        browser, probe = probing(ann, clock)
        browser.visit("/page/")
        clock.pass_(10)
        browser.sign_in(ann)
        sign_in = WatchedSession.objects.exclude(pk=probe.watch_id).get()
        assert (records(), signals) == ([("ann", "logout"), ("ann", "")], [("opened", sign_in.pk)])
        assert sign_in.limits["absolute_timeout"] == 43200
        clock.pass_(200)
        assert user_of(browser) == "ann"

    def test_of_another_user_too(self, ann: User, bob: User, clock: Time, signals: Signals):
        browser, _ = probing(ann, clock)
        clock.pass_(10)
        browser.sign_in(bob)
        assert records() == [("ann", "logout"), ("bob", "")]
        assert [name for name, _ in signals] == ["opened"]

    def test_one_that_fails_leaves_no_session_behind(self, ann: User, clock: Time):
        browser, _ = probing(ann, clock)
        browser.client.raise_request_exception = False
        clock.pass_(10)
        browser.submit("/failing-login/", {"username": "ann", "password": PASSWORD})
        clock.pass_(120)
        assert user_of(browser) == ""
        assert not WatchedSession.objects.filter(ended=None).exists()


class TestOtherUser:
    def test_the_first_session_ends_with_one_signal_and_stays_dead(
        self, signed_in: Browser, bob: User, clock: Time, signals: Signals
    ):
        first = signed_in.key
        clock.pass_(10)
        signed_in.sign_in(bob)
        assert [kind for kind, _ in signals].count("opened") == 1
        assert signals.count(("ended", Reason.LOGOUT)) == 1
        signed_in.key = str(first)
        assert user_of(signed_in) == ""

    def test_the_second_gets_no_notice_of_the_firsts_end(self, late: Browser, bob: User):
        late.poll("/api/")
        late.sign_in(bob)
        page = late.visit("/open/").json()
        assert (page["user"], page["notice"]) == ("bob", None)
        assert records() == [("ann", "idle"), ("bob", "")]

    @pytest.mark.parametrize("engine", ["db", "signed_cookies"], indirect=True)
    def test_a_session_that_speaks_of_another_user_than_its_watch_serves_neither(
        self, engine: str, signed_in: Browser, bob: User
    ):
        session = signed_in.client.session
        session["_auth_user_id"], session["_auth_user_hash"] = str(bob.pk), bob.get_session_auth_hash()
        session.save()
        signed_in.key = str(session.session_key)
        assert signed_in.visit("/closed/").status_code == 302
        assert user_of(signed_in) == ""
        assert records() == [("ann", "lost")]

    @pytest.mark.parametrize("is_noted", [False, True])
    def test_a_view_that_writes_a_user_into_the_session_without_a_sign_in_serves_no_one(
        self, signed_in: Browser, ann: User, bob: User, is_noted: bool
    ):
        """Neither another user, nor an account that does not exist, as which the user would act."""
        data = {"_auth_user_id": str(bob.pk), "_auth_user_hash": bob.get_session_auth_hash()}
        if is_noted:
            data = {"_auth_user_id": "0", IMPERSONATOR_KEY: str(ann.pk)}
        http_site.during.append(lambda request: request.session.update(data))
        signed_in.visit("/note/")
        assert user_of(signed_in) == ""
        assert records() == [("ann", "lost")]

    def test_nor_does_such_a_session_without_a_record(self, signed_in: Browser, bob: User):
        session = signed_in.client.session
        session["_auth_user_id"], session["_auth_user_hash"] = str(bob.pk), bob.get_session_auth_hash()
        session.save()
        WatchedSession.objects.all().delete()
        assert user_of(signed_in) == ""
        assert signed_in.key is None


class TestForce:
    def test_a_sign_in_without_a_request_is_watched(self, browser: Browser, ann: User, clock: Time):
        browser.client.force_login(ann)
        assert user_of(browser) == "ann"
        assert records() == [("ann", "")]
        clock.pass_(900)
        assert browser.poll("/api/").headers["Idlewatch-Ended"] == "idle"

    def test_a_sign_out_without_one_ends_the_session(self, signed_in: Browser):
        signed_in.client.logout()
        assert records() == [("ann", "logout")]

    def test_one_that_signs_no_user_into_a_session_is_not(self, ann: User):
        without, anonymous = RequestFactory().get("/"), RequestFactory().get("/")
        anonymous.session = django_sessions.engine()()
        for request in (None, without, anonymous):
            user_logged_in.send(User, request=request, user=ann)
            user_logged_out.send(User, request=request, user=ann)
        assert records() == []


class TestCookie:
    @pytest.mark.rule("R39")
    @pytest.mark.parametrize("data", [{}, {"before": "1"}, {"after": "1"}, {"before": "1", "after": "1"}])
    def test_it_goes_with_the_browser_even_if_the_view_sets_an_expiry(
        self, browser: Browser, ann: User, settings: Any, data: dict[str, str]
    ):
        settings.SESSION_EXPIRE_AT_BROWSER_CLOSE = False
        browser.sign_in(ann, "/keep-me/", **data)
        for _ in range(2):
            cookie = browser.client.cookies["sessionid"]
            assert (cookie["expires"], cookie["max-age"]) == ("", "")
            browser.visit("/note/")

    @pytest.mark.rule("R22")
    def test_its_attributes_are_those_of_the_site(self, browser: Browser, ann: User, settings: Any):
        settings.SESSION_COOKIE_SECURE = True
        browser.sign_in(ann)
        cookie = browser.client.cookies["sessionid"]
        assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax")


def short_for_bob(user: User, request: HttpRequest) -> dict[str, object] | None:
    assert request.method == "POST"
    return {"IDLE_TIMEOUT": 300, "WARN_BEFORE": 60} if user.get_username() == "bob" else None


def revoking(_user: User, _request: HttpRequest) -> None:
    """End every live session, as an operator may while one of them is about to be continued."""
    for each in WatchedSession.objects.live():
        monitor.end(each.pk, Reason.REVOKED, now())


class TestPolicy:
    def test_it_is_asked_at_the_sign_in_and_kept(
        self, browser: Browser, ann: User, bob: User, clock: Time, settings: Any
    ):
        settings.IDLEWATCH = {"POLICY": "tests.unit.http.test_sign_in.short_for_bob"}
        other = Browser()
        browser.sign_in(ann)
        other.sign_in(bob)
        lose_store()
        clock.pass_(299)
        assert other.poll("/open/").json()["phase"] == "warned"
        clock.pass_(1)
        assert other.poll("/api/").headers["Idlewatch-Ended"] == "idle"
        assert browser.poll("/open/").json()["remaining"] == 600


class TestMaxSessions:
    @pytest.mark.rule("R17")
    def test_the_oldest_gives_way(self, ann: User, bob: User, clock: Time, settings: Any):
        settings.IDLEWATCH = {"MAX_SESSIONS_PER_USER": 2}
        browsers = [Browser() for _ in range(4)]
        for browser, user in zip(browsers, (ann, bob, ann, ann), strict=True):
            clock.pass_(1)
            browser.sign_in(user)
        assert records() == [("ann", "replaced"), ("bob", ""), ("ann", ""), ("ann", "")]
        assert browsers[0].poll("/api/").headers["Idlewatch-Ended"] == "replaced"
        assert [user_of(browser) for browser in browsers[1:]] == ["bob", "ann", "ann"]

    def test_one_that_the_clock_has_ended_does_not_count(self, clock: Time, ann: User, settings: Any):
        settings.IDLEWATCH = {"MAX_SESSIONS_PER_USER": 2}
        browsers = [Browser() for _ in range(3)]
        browsers[0].sign_in(ann)
        clock.pass_(1)
        browsers[1].sign_in(ann)
        clock.pass_(500)
        browsers[0].visit("/closed/")
        clock.pass_(500)
        browsers[2].sign_in(ann)
        assert browsers[1].poll("/api/").headers["Idlewatch-Ended"] == "idle"
        assert [reason for _, reason in records()] == ["", "idle", ""]

    def test_probes_neither_count_nor_give_way(self, ann: User, clock: Time, settings: Any):
        settings.IDLEWATCH = {"MAX_SESSIONS_PER_USER": 1}
        older, first = probing(ann, clock)[0], Browser()
        clock.pass_(1)
        first.sign_in(ann)
        clock.pass_(1)
        newer, _ = probing(ann, clock)
        assert [user_of(browser) for browser in (older, first, newer)] == ["ann"] * 3
        clock.pass_(1)
        Browser().sign_in(ann)
        assert [user_of(browser) for browser in (older, first, newer)] == ["ann", "", "ann"]
        assert [reason for _, reason in records()] == ["", "replaced", "", ""]

    @pytest.mark.rule("R17")
    @pytest.mark.parametrize("most", [1, 3])
    def test_it_is_exact_under_sign_ins_at_once(self, ann: User, settings: Any, most: int):
        settings.IDLEWATCH = {"MAX_SESSIONS_PER_USER": most}
        together = Barrier(6)

        def sign_in(_: int) -> Client:
            client = Client()
            together.wait()
            try:
                assert client.post("/login/", {"username": "ann", "password": PASSWORD}).status_code == 302
            finally:
                connection.close()
            return client

        with ThreadPoolExecutor(6) as threads:
            clients = list(threads.map(sign_in, range(6)))
        live = WatchedSession.objects.filter(ended=None)
        newest = WatchedSession.objects.order_by("-started", "-pk")[:most]
        assert set(live) == set(newest)
        assert [client.get("/open/").json()["user"] for client in clients].count("ann") == most
        assert all(monitor.has_ended(each.pk, now()) for each in WatchedSession.objects.exclude(reason=""))
