"""Requests while the shared store is away, and after it: nothing lost, nothing revived, nothing a 500."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, OperationalError

from idlewatch.core.activity import Reason
from idlewatch.core.clock import as_datetime
from idlewatch.exceptions import Undecided
from idlewatch.managers import WatchedSessionQuerySet
from idlewatch.models import WatchedSession
from idlewatch.monitor import service as monitor
from idlewatch.monitor.outage import REPORT_GRACE
from tests.conftest import START, Time
from tests.support import http_site
from tests.support.http import Browser, record, records, user_of
from tests.support.outages import Outage, outage

pytestmark = pytest.mark.redis


@pytest.fixture(params=[True, False], ids=["with its data", "empty"])
def away(tmp_path: Path, clock: Time, request: pytest.FixtureRequest) -> Iterator[Outage]:
    with outage(tmp_path, clock, persistent=request.param) as made, made.process("web").entered():
        yield made


@pytest.fixture
def kept(tmp_path: Path, clock: Time) -> Iterator[Outage]:
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


class TestRequest:
    @pytest.mark.rule("R9")
    def test_a_counted_one_is_served_and_advances_the_record(
        self, away: Outage, browser: Browser, ann: User, clock: Time
    ):
        browser.sign_in(ann)
        begin(away)
        for _ in range(3):
            clock.pass_(600)
            assert browser.visit("/closed/").json()["user"] == "ann"
        assert last_active() == as_datetime(START + 1800)
        finish(away)
        told = browser.poll("/idlewatch/state/").json()
        assert told["remaining"] == 900 - (REPORT_GRACE + 1)
        assert records() == [("ann", "")]

    def test_a_passive_one_is_served_and_advances_nothing(self, kept: Outage, browser: Browser, ann: User, clock: Time):
        browser.sign_in(ann)
        begin(kept)
        clock.pass_(600)
        assert user_of(browser) == "ann"
        assert browser.visit("/passive/").status_code == 200
        assert last_active() == as_datetime(START)
        finish(kept)
        assert browser.poll("/idlewatch/state/").json()["remaining"] == 300 - (REPORT_GRACE + 1)

    def test_an_undecided_one_is_asked_to_wait(self, kept: Outage, browser: Browser, ann: User, clock: Time):
        browser.sign_in(ann)
        begin(kept)
        clock.pass_(930)
        page, script = browser.visit("/closed/"), browser.poll("/closed/")
        form = browser.submit("/closed/")
        assert [each.status_code for each in (page, script, form)] == [503] * 3
        assert page.headers["Refresh"] == page.headers["Retry-After"] == "2"
        for each in (script, form):
            assert each.headers["Retry-After"] == "2"
            assert "Refresh" not in each.headers
            assert each.headers["Cache-Control"] == "no-store"
        assert browser.key is not None
        assert records() == [("ann", "")]
        clock.pass_(30)
        assert browser.poll("/api/").headers["Idlewatch-Ended"] == "idle"

    @pytest.mark.parametrize("path", ["/idlewatch/state/", "/idlewatch/message/", "/open/", "/closed/"])
    def test_an_undecided_one_is_no_500(self, kept: Outage, browser: Browser, ann: User, clock: Time, path: str):
        browser.sign_in(ann)
        begin(kept)
        clock.pass_(930)
        asked = browser.say('{"type": "sync"}') if "message" in path else browser.poll(path)
        assert asked.status_code == 503

    @pytest.mark.rule("R9")
    def test_one_that_was_idle_for_longer_has_ended_for_good(
        self, away: Outage, browser: Browser, ann: User, clock: Time
    ):
        browser.sign_in(ann)
        key = browser.key
        begin(away)
        clock.pass_(960)
        assert browser.poll("/api/").headers["Idlewatch-Ended"] == "idle"
        assert records() == [("ann", "idle")]
        finish(away)
        for _ in range(2):
            browser.key = str(key)
            assert browser.poll("/api/").status_code == 401
        assert monitor.store().sessions.get(record().pk).activity.reason is Reason.IDLE

    def test_one_whose_view_finds_the_state_undecided_is_asked_to_wait(self, kept: Outage, browser: Browser, ann: User):
        browser.sign_in(ann)

        def ask(_: object) -> None:
            raise Undecided

        http_site.during.append(ask)
        response = browser.visit("/meanwhile/")
        assert (response.status_code, response.headers["Retry-After"]) == (503, "2")

    @pytest.mark.parametrize("path", ["/idlewatch/state/", "/idlewatch/message/"])
    def test_one_that_becomes_idle_in_the_state_view_is_asked_to_wait(
        self, kept: Outage, browser: Browser, ann: User, clock: Time, path: str, monkeypatch: pytest.MonkeyPatch
    ):
        browser.sign_in(ann)
        begin(kept)
        clock.pass_(899)
        monkeypatch.setattr("idlewatch.views.client.now", lambda: START + 901)
        asked = browser.say('{"type": "sync"}') if "message" in path else browser.poll(path)
        assert asked.status_code == 503

    def test_without_the_database_too_it_is_asked_to_wait(
        self, kept: Outage, browser: Browser, ann: User, settings: Any
    ):
        settings.SESSION_ENGINE = "django.contrib.sessions.backends.cache"
        browser.sign_in(ann)
        begin(kept)
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
        assert monitor.store().sessions.get(record().pk).key == browser.key
        clock.pass_(900)
        assert browser.poll("/api/").headers["Idlewatch-Ended"] == "idle"

    @pytest.mark.rule("R9")
    def test_a_logout_is_final(self, away: Outage, browser: Browser, ann: User, clock: Time):
        browser.sign_in(ann)
        key = browser.key
        begin(away)
        clock.pass_(10)
        browser.submit("/logout/")
        finish(away)
        browser.key = str(key)
        assert browser.poll("/api/").status_code == 401
        assert records() == [("ann", "logout")]
        assert monitor.store().sessions.get(record().pk).activity.reason is Reason.LOGOUT

    @pytest.mark.parametrize("path", ["/rotate/", "/change-password/"])
    def test_one_that_is_given_a_new_key_goes_on(
        self, away: Outage, browser: Browser, ann: User, clock: Time, path: str
    ):
        browser.sign_in(ann)
        old = browser.key
        begin(away)
        assert browser.submit(path, {"password": "new"}).status_code == 200
        assert browser.key != old
        assert user_of(browser) == "ann"
        finish(away)
        for _ in range(3):
            clock.pass_(35)
            away.go_round()
        assert user_of(browser) == "ann"
        assert monitor.store().sessions.get(record().pk).key == browser.key
        assert records() == [("ann", "")]

    def test_a_new_password_ends_the_others(
        self, away: Outage, browser: Browser, make_browser: Callable[..., Browser], ann: User
    ):
        browser.sign_in(ann)
        elsewhere = make_browser()
        elsewhere.sign_in(ann)
        begin(away)
        browser.submit("/change-password/", {"password": "new"})
        assert elsewhere.poll("/api/").headers["Idlewatch-Ended"] == "account"
        finish(away)
        assert user_of(browser) == "ann"
        assert sorted(reason for _, reason in records()) == ["", "account"]

    def test_one_without_a_watch_is_adopted(self, kept: Outage, browser: Browser, ann: User, clock: Time):
        browser.client.force_login(ann)
        WatchedSession.objects.all().delete()
        session = browser.client.session
        del session["_idlewatch"]
        session.save()
        begin(kept)
        assert browser.visit("/closed/").status_code == 200
        assert browser.visit("/closed/").status_code == 200
        assert records() == [("ann", "")]
        finish(kept)
        assert browser.visit("/closed/").status_code == 200
        assert records() == [("ann", "")]

    @pytest.mark.rule("R11")
    @pytest.mark.usefixtures("two_sessions_per_user")
    def test_a_user_has_no_more_than_may_be(
        self, away: Outage, make_browser: Callable[..., Browser], ann: User, clock: Time
    ):
        begin(away)
        browsers = [make_browser() for _ in range(3)]
        for each in browsers:
            each.sign_in(ann)
            clock.pass_(1)
        assert records() == [("ann", "replaced"), ("ann", ""), ("ann", "")]
        finish(away)
        assert browsers[0].poll("/api/").headers["Idlewatch-Ended"] == "replaced"
        assert [user_of(each) for each in browsers[1:]] == ["ann"] * 2

    @pytest.mark.rule("R11")
    @pytest.mark.usefixtures("two_sessions_per_user")
    def test_one_that_is_undecided_counts_as_one_of_them(
        self, kept: Outage, make_browser: Callable[..., Browser], ann: User, clock: Time
    ):
        make_browser().sign_in(ann)
        begin(kept)
        for seconds in (930, 1):
            clock.pass_(seconds)
            make_browser().sign_in(ann)
        assert records() == [("ann", "replaced"), ("ann", ""), ("ann", "")]
        finish(kept)
        assert records() == [("ann", "replaced"), ("ann", ""), ("ann", "")]

    def test_a_disabled_account_has_none(
        self, kept: Outage, make_browser: Callable[..., Browser], ann: User, clock: Time
    ):
        for _ in range(2):
            make_browser().sign_in(ann)
        begin(kept)
        clock.pass_(930)
        ann.is_active = False
        ann.save()
        assert records() == [("ann", "account")] * 2
        finish(kept)
        assert records() == [("ann", "account")] * 2

    def test_signed_cookies_are_judged_by_the_record_too(
        self, kept: Outage, browser: Browser, ann: User, clock: Time, settings: Any
    ):
        settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
        browser.sign_in(ann)
        begin(kept)
        clock.pass_(600)
        assert browser.visit("/closed/").json()["user"] == "ann"
        cookie = browser.key
        browser.submit("/logout/")
        browser.key = str(cookie)
        assert browser.poll("/api/").headers["Idlewatch-Ended"] == "logout"
        finish(kept)
        browser.key = str(cookie)
        assert browser.poll("/api/").headers["Idlewatch-Ended"] == "logout"


class TestMessages:
    @pytest.fixture
    def page(self, kept: Outage, browser: Browser, ann: User, clock: Time) -> Browser:
        browser.sign_in(ann)
        begin(kept)
        clock.pass_(600)
        return browser

    @pytest.mark.parametrize(
        ("message", "active"),
        [
            ('{"type": "extend"}', 600),
            ('{"type": "activity", "ago": 30}', 570),
            ('{"type": "sync"}', 0),
            ('{"type": "release", "id": "video"}', 0),
        ],
    )
    def test_each_counts(self, kept: Outage, page: Browser, message: str, active: float):
        assert page.say(message).json()["remaining"] == 300 + active
        assert last_active() == as_datetime(START + active)
        finish(kept)
        assert page.poll("/idlewatch/state/").json()["remaining"] == 300 + active - (REPORT_GRACE + 1)

    def test_a_bad_one_is_a_400(self, page: Browser):
        assert page.say("nope").status_code == 400


class TestDatabase:
    def test_a_session_that_can_t_be_read_is_asked_to_wait(self, browser: Browser, ann: User):
        browser.sign_in(ann)
        with mock.patch("django.contrib.sessions.backends.db.SessionStore.load", side_effect=OperationalError("away")):
            page, form = browser.visit("/closed/"), browser.submit("/closed/")
        for response in (page, form):
            assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
        assert page.headers["Refresh"] == "2"
        # It signed no user out.
        assert browser.visit("/closed/").json()["user"] == "ann"

    def test_what_can_t_be_told_after_the_view_keeps_no_answer_back(self, browser: Browser, ann: User):
        browser.sign_in(ann)
        with mock.patch("idlewatch.http.follow_up.monitor.lost_or_account", side_effect=Undecided):
            assert browser.visit("/flush/").status_code == 200
