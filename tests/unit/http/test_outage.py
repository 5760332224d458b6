"""Requests while the shared store is away, and after it: nothing lost, nothing revived, nothing a 500."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.db import DatabaseError, OperationalError, connection
from django.test.utils import CaptureQueriesContext

from idlewatch.core.activity import Reason
from idlewatch.core.clock import as_datetime
from idlewatch.exceptions import Undecided
from idlewatch.managers import WatchedSessionQuerySet
from idlewatch.models import WatchedSession
from idlewatch.monitor import stores
from idlewatch.monitor.outage import REPORT_GRACE
from idlewatch.monitor.record_keys import rebind
from tests.conftest import START, Time
from tests.support.http import Browser, record, records, user_of
from tests.support.outages import Outage, outage

pytestmark = pytest.mark.redis


@pytest.fixture(params=[True, False], ids=["with its data", "empty"])
def away(tmp_path: Path, clock: Time, request: pytest.FixtureRequest) -> Iterator[Outage]:
    with outage(tmp_path, clock, persistent=request.param) as made, made.process("web").entered():
        yield made


@pytest.fixture
def persistent(tmp_path: Path, clock: Time) -> Iterator[Outage]:
    """A Redis that comes back with its data; for what happens while it is away alone, too."""
    with outage(tmp_path, clock, persistent=True) as made, made.process("web").entered():
        yield made


@pytest.fixture
def two_sessions_per_user(settings: Any) -> None:
    """Set the limit before the store is opened: a change of the setting closes the store."""
    settings.IDLEWATCH = {"MAX_SESSIONS_PER_USER": 2}


def begin(outage: Outage) -> None:
    """Let it be known what there is, then take the store away."""
    outage.go_round()
    outage.redis.stop()


def finish(outage: Outage) -> None:
    """Give the store back, and let the timers make good what it missed."""
    outage.redis.start()
    outage.go_round(REPORT_GRACE + 1)


def last_active() -> Any:
    return record().last_active


@pytest.fixture
def cut_off(persistent: Outage, signed_in: Browser) -> Browser:
    """A browser whose server lost the store after the sign-in."""
    begin(persistent)
    return signed_in


class TestRequest:
    @pytest.mark.rule("R9")
    def test_a_counted_one_is_served_and_advances_the_record(self, away: Outage, signed_in: Browser, clock: Time):
        begin(away)
        for _ in range(3):
            clock.pass_(600)
            assert signed_in.visit("/closed/").json()["user"] == "ann"
        assert last_active() == as_datetime(START + 1800)
        finish(away)
        assert signed_in.poll("/idlewatch/state/").json()["remaining"] == 900 - (REPORT_GRACE + 1)
        assert records() == [("ann", "")]

    def test_a_passive_one_is_served_and_advances_nothing(self, persistent: Outage, cut_off: Browser, clock: Time):
        clock.pass_(600)
        assert user_of(cut_off) == "ann"
        assert cut_off.visit("/passive/").status_code == 200
        assert last_active() == as_datetime(START)
        finish(persistent)
        assert cut_off.poll("/idlewatch/state/").json()["remaining"] == 300 - (REPORT_GRACE + 1)

    def test_one_that_changes_nothing_updates_no_record_and_asks_once_whether_its_key_is_the_present_one(
        self, cut_off: Browser
    ):
        with (
            CaptureQueriesContext(connection) as queries,
            mock.patch("idlewatch.monitor.record_keys.rebind", wraps=rebind) as asked,
        ):
            assert cut_off.visit("/passive/").status_code == 200
        assert asked.call_count == 1
        assert [each["sql"] for each in queries if each["sql"].startswith("UPDATE")] == []

    def test_an_undecided_one_is_asked_to_wait(self, cut_off: Browser, clock: Time):
        clock.pass_(930)
        page = cut_off.visit("/closed/")
        others = [cut_off.poll(path) for path in ("/closed/", "/open/", "/idlewatch/state/")]
        others += [cut_off.submit("/closed/"), cut_off.say('{"type": "sync"}')]
        assert (page.status_code, page.headers["Refresh"], page.headers["Retry-After"]) == (503, "2", "2")
        for each in others:
            assert (each.status_code, each.headers["Retry-After"]) == (503, "2")
            assert "Refresh" not in each.headers
            assert each.headers["Cache-Control"] == "no-store"
        assert cut_off.key is not None
        assert records() == [("ann", "")]
        clock.pass_(30)
        assert cut_off.poll("/api/").headers["Idlewatch-Ended"] == "idle"

    @pytest.mark.rule("R9")
    def test_one_that_was_idle_for_longer_has_ended_for_good(self, away: Outage, signed_in: Browser, clock: Time):
        key = signed_in.key
        begin(away)
        clock.pass_(960)
        assert signed_in.poll("/api/").headers["Idlewatch-Ended"] == "idle"
        assert records() == [("ann", "idle")]
        finish(away)
        for _ in range(2):
            signed_in.key = str(key)
            assert signed_in.poll("/api/").status_code == 401
        assert stores.current().sessions.get(record().pk).activity.reason is Reason.IDLE

    @pytest.mark.parametrize("path", ["/idlewatch/state/", "/idlewatch/message/"])
    def test_one_that_becomes_idle_in_the_state_view_is_asked_to_wait(
        self, cut_off: Browser, clock: Time, path: str, monkeypatch: pytest.MonkeyPatch
    ):
        clock.pass_(899)
        monkeypatch.setattr("idlewatch.views.client.now", lambda: START + 901)
        asked = cut_off.say('{"type": "sync"}') if "message" in path else cut_off.poll(path)
        assert asked.status_code == 503

    def test_without_the_database_too_it_is_asked_to_wait(
        self, persistent: Outage, browser: Browser, ann: User, settings: Any
    ):
        settings.SESSION_ENGINE = "django.contrib.sessions.backends.cache"
        browser.sign_in(ann)
        begin(persistent)
        with mock.patch.object(WatchedSessionQuerySet, "find", side_effect=DatabaseError):
            assert browser.visit("/open/").status_code == 503
        assert browser.visit("/closed/").json()["user"] == "ann"


class TestSessions:
    def test_a_sign_in_is_watched_from_then_on(self, away: Outage, browser: Browser, ann: User, clock: Time):
        begin(away)
        browser.sign_in(ann)
        assert user_of(browser) == "ann"
        finish(away)
        assert user_of(browser) == "ann"
        assert stores.current().sessions.get(record().pk).key == browser.key
        clock.pass_(900)
        assert browser.poll("/api/").headers["Idlewatch-Ended"] == "idle"

    @pytest.mark.rule("R9")
    def test_a_logout_is_final(self, away: Outage, signed_in: Browser, clock: Time):
        key = signed_in.key
        begin(away)
        clock.pass_(10)
        signed_in.submit("/logout/")
        finish(away)
        signed_in.key = str(key)
        assert signed_in.poll("/api/").status_code == 401
        assert records() == [("ann", "logout")]
        assert stores.current().sessions.get(record().pk).activity.reason is Reason.LOGOUT

    @pytest.mark.parametrize("path", ["/rotate/", "/change-password/"])
    def test_one_that_is_given_a_new_key_goes_on(self, away: Outage, signed_in: Browser, clock: Time, path: str):
        old = signed_in.key
        begin(away)
        assert signed_in.submit(path, {"password": "new"}).status_code == 200
        assert signed_in.key != old
        assert user_of(signed_in) == "ann"
        finish(away)
        for _ in range(3):
            clock.pass_(35)
            away.go_round()
        assert user_of(signed_in) == "ann"
        assert stores.current().sessions.get(record().pk).key == signed_in.key
        assert records() == [("ann", "")]

    def test_a_new_password_ends_the_others(self, away: Outage, signed_in: Browser, ann: User):
        elsewhere = Browser()
        elsewhere.sign_in(ann)
        begin(away)
        signed_in.submit("/change-password/", {"password": "new"})
        assert elsewhere.poll("/api/").headers["Idlewatch-Ended"] == "account"
        finish(away)
        assert user_of(signed_in) == "ann"
        assert sorted(reason for _, reason in records()) == ["", "account"]

    def test_one_without_a_watch_is_adopted(self, persistent: Outage, browser: Browser, ann: User, clock: Time):
        browser.client.force_login(ann)
        WatchedSession.objects.all().delete()
        session = browser.client.session
        del session["_idlewatch"]
        session.save()
        begin(persistent)
        assert browser.visit("/closed/").status_code == 200
        assert browser.visit("/closed/").status_code == 200
        assert records() == [("ann", "")]
        finish(persistent)
        assert browser.visit("/closed/").status_code == 200
        assert records() == [("ann", "")]

    @pytest.mark.rule("R17")
    @pytest.mark.usefixtures("two_sessions_per_user")
    def test_a_user_has_no_more_than_may_be(self, away: Outage, ann: User, clock: Time):
        begin(away)
        browsers = [Browser() for _ in range(3)]
        for each in browsers:
            each.sign_in(ann)
            clock.pass_(1)
        assert records() == [("ann", "replaced"), ("ann", ""), ("ann", "")]
        finish(away)
        assert browsers[0].poll("/api/").headers["Idlewatch-Ended"] == "replaced"
        assert [user_of(each) for each in browsers[1:]] == ["ann"] * 2

    @pytest.mark.rule("R17")
    @pytest.mark.usefixtures("two_sessions_per_user")
    def test_one_that_is_undecided_counts_as_one_of_them(self, persistent: Outage, ann: User, clock: Time):
        Browser().sign_in(ann)
        begin(persistent)
        for seconds in (930, 1):
            clock.pass_(seconds)
            Browser().sign_in(ann)
        assert records() == [("ann", "replaced"), ("ann", ""), ("ann", "")]
        finish(persistent)
        assert records() == [("ann", "replaced"), ("ann", ""), ("ann", "")]

    def test_a_sign_in_leaves_the_one_to_the_clock_that_may_have_ended_before(
        self, persistent: Outage, signed_in: Browser, ann: User, clock: Time
    ):
        timer, authenticate = persistent.process("timer"), ModelBackend.authenticate

        def authenticate_past_the_end(*args: Any, **kwargs: Any) -> Any:
            clock.pass_(901)
            with timer.entered():
                # The tabs are told; the record is closed later.
                async_to_sync(timer.timer.push)(clock.now)
            persistent.redis.stop()
            return authenticate(*args, **kwargs)

        persistent.go_round()
        with mock.patch.object(ModelBackend, "authenticate", authenticate_past_the_end):
            signed_in.sign_in(ann)
        assert records() == [("ann", ""), ("ann", "")]
        finish(persistent)
        assert records() == [("ann", "idle"), ("ann", "")]
        assert user_of(signed_in) == "ann"

    def test_a_disabled_account_has_none(self, persistent: Outage, ann: User, clock: Time):
        for _ in range(2):
            Browser().sign_in(ann)
        begin(persistent)
        clock.pass_(930)
        ann.is_active = False
        ann.save()
        assert records() == [("ann", "account")] * 2
        finish(persistent)
        assert records() == [("ann", "account")] * 2

    def test_signed_cookies_are_judged_by_the_record_too(
        self, persistent: Outage, browser: Browser, ann: User, clock: Time, settings: Any
    ):
        settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
        browser.sign_in(ann)
        begin(persistent)
        clock.pass_(600)
        assert browser.visit("/closed/").json()["user"] == "ann"
        cookie = browser.key
        browser.submit("/logout/")
        browser.key = str(cookie)
        assert browser.poll("/api/").headers["Idlewatch-Ended"] == "logout"
        finish(persistent)
        browser.key = str(cookie)
        assert browser.poll("/api/").headers["Idlewatch-Ended"] == "logout"


class TestMessages:
    @pytest.mark.parametrize(
        ("message", "active"),
        [
            ('{"type": "extend"}', 600),
            ('{"type": "activity", "ago": 30}', 570),
            ('{"type": "sync"}', 0),
            ('{"type": "release", "id": "video"}', 0),
        ],
    )
    def test_each_counts(self, persistent: Outage, cut_off: Browser, clock: Time, message: str, active: float):
        clock.pass_(600)
        assert cut_off.say(message).json()["remaining"] == 300 + active
        assert last_active() == as_datetime(START + active)
        finish(persistent)
        assert cut_off.poll("/idlewatch/state/").json()["remaining"] == 300 + active - (REPORT_GRACE + 1)


class TestDatabase:
    def test_a_session_that_can_t_be_read_is_asked_to_wait_and_stays(self, signed_in: Browser):
        with mock.patch("django.contrib.sessions.backends.db.SessionStore.load", side_effect=OperationalError("away")):
            assert signed_in.visit("/closed/").status_code == 503
        assert signed_in.visit("/closed/").json()["user"] == "ann"

    def test_a_session_that_is_undecided_after_the_view_keeps_no_answer_back(self, signed_in: Browser):
        with mock.patch("idlewatch.http.follow_up.monitor.lost_or_account", side_effect=Undecided):
            assert signed_in.visit("/flush/").status_code == 200
