"""A second web process on the memory store: it serves visitors, judges no session, and takes over from the first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.cache import cache
from msgspec.structs import replace

from idlewatch.core.activity import Reason
from idlewatch.exceptions import StoreElsewhere
from idlewatch.models import StoreOwner, WatchedSession
from idlewatch.monitor import checkpoints, stores
from idlewatch.monitor import records as rows
from idlewatch.monitor.store_lease import StoreLease
from idlewatch.process import Process
from tests.conftest import START, Time
from tests.support.http import FETCH, PASSWORD, Browser, last_active, record, records, tick, user_of
from tests.support.processes import give_store_away


@pytest.fixture
def second(signed_in: Browser, clock: Time) -> Iterator[Process]:
    """A second process, which answers; the first one has signed Ann in."""
    process = Process(clock=clock.clock)
    with process.entered():
        yield process
    process.close()


def is_refused(response: Any) -> bool:
    headers = response.headers
    assert "sessionid" not in response.cookies
    return (response.status_code, headers.get("Retry-After"), headers.get("Cache-Control")) == (503, "5", "no-store")


class TestSignedIn:
    @pytest.mark.parametrize("is_async", [False, True], ids=["wsgi", "asgi"])
    def test_every_request_is_refused_and_changes_nothing(
        self, signed_in: Browser, second: Process, clock: Time, is_async: bool, settings: Any
    ):
        settings.SESSION_SAVE_EVERY_REQUEST = True
        key, before = signed_in.key, WatchedSession.objects.values().get()
        browser = Browser(is_async=is_async)
        browser.key = str(key)
        # By the record Ann was idle for too long: it does not know what the first process does.
        clock.pass_(950)
        for ask in (
            lambda: browser.visit("/open/"),
            lambda: browser.visit("/aclosed/"),
            lambda: browser.poll("/api/"),
            lambda: browser.poll("/idlewatch/state/"),
            lambda: browser.say('{"type": "extend"}'),
            lambda: browser.submit("/note/"),
            # The page that asks, in some packages, whether to sign out.
            lambda: browser.visit("/logout/"),
        ):
            assert is_refused(ask())
        assert browser.visit("/open/").headers["Refresh"] == "5"
        assert WatchedSession.objects.values().get() == before

    def test_in_debug_the_body_says_why(self, signed_in: Browser, second: Process, settings: Any):
        assert "memory store" not in signed_in.visit("/open/").content.decode()
        settings.DEBUG = True
        assert "The memory store supports one process" in signed_in.visit("/open/").content.decode()

    def test_one_whose_data_only_the_first_process_has_is_not_taken_for_lost(
        self, signed_in: Browser, second: Process, settings: Any
    ):
        settings.SESSION_ENGINE = "django.contrib.sessions.backends.cache"
        cache.clear()
        assert is_refused(signed_in.visit("/open/"))
        assert (signed_in.key is not None, records()) == (True, [("ann", "")])

    def test_one_without_a_watch_is_not_adopted(self, signed_in: Browser, second: Process):
        session = signed_in.client.session
        del session["_idlewatch"]
        session.save()
        assert is_refused(signed_in.visit("/closed/"))
        assert len(records()) == 1

    def test_one_that_ended_is_refused_for_good(self, signed_in: Browser, second: Process, clock: Time):
        key = signed_in.key
        assert signed_in.submit("/logout/").status_code == 302
        signed_in.key = str(key)
        assert signed_in.poll("/api/").headers["Idlewatch-Ended"] == "logout"

    def test_signing_out_closes_the_record_and_the_first_process_sees_it(
        self, signed_in: Browser, second: Process, clock: Time, process: Process
    ):
        with process.entered():
            timer = tick(clock)
        clock.pass_(1)
        assert signed_in.submit("/logout/").status_code == 302
        assert (records(), signed_in.key) == ([("ann", "logout")], None)
        clock.pass_(1)
        with process.entered():
            tick(clock, timer)
            found = stores.current().sessions.get(record().pk)
        assert found is not None
        assert found.activity.reason is Reason.LOGOUT

    def test_a_new_password_of_a_visitor_ends_the_sessions_by_their_records(
        self, signed_in: Browser, second: Process, ann: User
    ):
        """A link to reset it may lead here."""
        ann.set_password("new")
        ann.save()
        assert records() == [("ann", "account")]


class TestVisitors:
    def test_they_are_served_also_in_a_session_of_their_own(self, second: Process):
        visitor = Browser()
        assert visitor.visit("/open/").json()["user"] == ""
        assert visitor.submit("/note/").status_code == 200
        assert visitor.key
        assert visitor.visit("/open/").status_code == 200

    @pytest.mark.parametrize("path", ["/login/", "/api-login/"])
    def test_a_sign_in_starts_nothing(self, second: Process, ann: User, path: str):
        sessions = set(Session.objects.values_list("pk"))
        visitor = Browser()
        assert is_refused(visitor.submit(path, {"username": ann.username, "password": PASSWORD}))
        assert (visitor.key, set(Session.objects.values_list("pk")), len(records())) == (None, sessions, 1)
        with pytest.raises(StoreElsewhere):
            visitor.client.force_login(ann)

    def test_health_metrics_and_static_files_are_served_as_to_a_visitor(
        self, signed_in: Browser, second: Process, settings: Any
    ):
        settings.IDLEWATCH = {"METRICS_TOKEN": "0123456789abcdef"}
        key = signed_in.key
        assert signed_in.visit("/healthz").status_code == 200
        assert "timer" in signed_in.visit("/readyz").json()["problems"]
        assert (
            signed_in.ask("get", "/metrics", headers=FETCH | {"Authorization": "Bearer 0123456789abcdef"}).status_code
            == 200
        )
        assert signed_in.visit("/metrics").status_code == 403
        # There is none, and it says so without a look at the session.
        assert signed_in.visit("/static/none.css").status_code == 404
        assert signed_in.key == key


class TestTakingOver:
    def test_it_judges_as_soon_as_the_first_gave_the_store_up(
        self, signed_in: Browser, second: Process, process: Process, clock: Time
    ):
        assert is_refused(signed_in.visit("/closed/"))
        with process.entered():
            process.part(StoreLease).release()
        clock.pass_(60)
        assert signed_in.visit("/closed/").json()["remaining"] == 900
        assert last_active() == START + 60
        # The first one, if it is still there, does not judge by what it knew.
        with process.entered():
            tick(clock)
            assert is_refused(signed_in.visit("/closed/"))

    def test_it_goes_by_the_records_and_not_by_what_it_knew_earlier(
        self, signed_in: Browser, process: Process, clock: Time
    ):
        timer = tick(clock)
        give_store_away(START)
        clock.pass_(1)
        tick(clock, timer)
        assert is_refused(signed_in.visit("/closed/"))
        watched = rows.watched_of(record(), START)
        later = replace(watched, activity=replace(watched.activity, active=START + 800))
        checkpoints.advance(later, START + 800)
        StoreOwner.objects.all().delete()
        clock.pass_(999)
        assert user_of(signed_in) == "ann"
        tick(clock, timer)
        assert last_active() == START + 800
