"""Sessions that were signed in before there was a watch, and watches of which there is no record."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.db import connection
from django.test import Client

from idlewatch.core.activity import Reason
from idlewatch.core.policy import Phase
from idlewatch.monitor import django_sessions, login
from idlewatch.monitor import service as monitor
from idlewatch.monitor.impersonation import IMPERSONATOR_KEY
from tests.conftest import Time
from tests.support.http import ENGINES, NAVIGATION, Browser, phase, record, records, restart_server, tick

KEYED = [engine for engine in ENGINES if engine != "signed_cookies"]
every_keyed_engine = pytest.mark.parametrize("engine", KEYED, indirect=True)


def signed_in_before(user: User, key: str | None = None, **data: object) -> SessionBase:
    """Return a session of the days before the watch."""
    session = django_sessions.engine()()
    session.update(data)
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    # A session that is made with a key that is not in use forgets it when its data is first read.
    session._session_key = key
    session.save(must_create=key is not None)
    return session


@pytest.fixture
def before(browser: Browser, ann: User) -> Browser:
    browser.key = str(signed_in_before(ann).session_key)
    return browser


@every_keyed_engine
def test_the_first_request_adopts_it(
    engine: str, before: Browser, clock: Time, settings: Any, signals: list[tuple[str, Any]]
):
    settings.SESSION_EXPIRE_AT_BROWSER_CLOSE = False
    key = before.key
    page = before.visit("/closed/").json()
    assert (page["user"], page["phase"], page["remaining"]) == ("ann", "active", 900)
    assert before.key == key
    cookie = before.client.cookies["sessionid"]
    assert (cookie["expires"], cookie["max-age"]) == ("", "")
    assert (records(), signals) == ([("ann", "")], [("opened", record().pk)])
    clock.pass_(899)
    assert before.poll("/api/").status_code == 200
    clock.pass_(1)
    assert before.poll("/api/").headers["Idlewatch-Ended"] == "idle"


@pytest.mark.parametrize("path", ["/api/", "/idlewatch/state/"])
def test_a_poll_adopts_it_too(before: Browser, path: str):
    assert before.poll(path).status_code == 200
    assert records() == [("ann", "")]


@pytest.mark.rule("R9")
@every_keyed_engine
def test_replayed_after_its_end_it_stays_ended(engine: str, browser: Browser, ann: User, clock: Time):
    key = browser.key = str(signed_in_before(ann).session_key)
    browser.visit("/closed/")
    monitor.end(record().pk, Reason.REVOKED, clock.now)
    tick(clock)
    assert not django_sessions.engine()().exists(key)
    browser.key = key
    assert browser.poll("/api/").headers["Idlewatch-Ended"] == "revoked"
    # A backup, or a request that was slow to save, brings the session back as it was before the watch.
    assert signed_in_before(ann, key).session_key == key
    restart_server()
    browser.key = key
    assert browser.poll("/api/").headers["Idlewatch-Ended"] == "revoked"
    assert records() == [("ann", "revoked")]


@pytest.mark.parametrize("engine", ["db", "file"], indirect=True)
def test_two_first_requests_at_once_make_one_watch(
    engine: str, ann: User, monkeypatch: pytest.MonkeyPatch, signals: list[tuple[str, Any]]
):
    key = str(signed_in_before(ann).session_key)
    together, ask = Barrier(2), login._policy_for

    def policy_for(*args: Any) -> Any:
        together.wait(10)
        return ask(*args)

    monkeypatch.setattr(login, "_policy_for", policy_for)

    def visit(_: int) -> dict[str, object]:
        client = Client()
        client.cookies["sessionid"] = key
        try:
            return client.get("/closed/", headers=NAVIGATION).json()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        pages = list(threads.map(visit, range(2)))
    assert [each["user"] for each in pages] == ["ann", "ann"]
    assert (records(), signals) == ([("ann", "")], [("opened", record().pk)])
    assert django_sessions.engine()(key)[django_sessions.WATCH_KEY] == record().pk


@pytest.mark.parametrize("engine", ["signed_cookies"], indirect=True)
def test_a_signed_cookie_from_before_must_sign_in_again(engine: str, before: Browser, ann: User):
    key = before.key
    assert before.visit("/closed/").status_code == 302
    assert before.key is None
    before.key = str(key)
    assert before.poll("/api/").headers["Idlewatch-Ended"] == "lost"
    before.sign_in(ann)
    assert before.poll("/open/").json()["user"] == "ann"
    assert records() == [("ann", "")]


@pytest.mark.usefixtures("engine")
def test_a_watch_without_a_record_has_ended(browser: Browser, ann: User):
    browser.key = str(signed_in_before(ann, **{django_sessions.WATCH_KEY: "nowhere"}).session_key)
    assert browser.visit("/closed/").status_code == 302
    assert browser.key is None
    assert records() == []


def test_an_anonymous_session_is_left_alone(browser: Browser):
    browser.visit("/note/")
    key = browser.key
    page = browser.visit("/open/").json()
    assert page == {"user": "", "phase": None, "reason": None, "remaining": None, "notice": None}
    assert (records(), browser.key) == ([], key)


def test_nor_is_one_whose_user_may_not_sign_in(before: Browser, ann: User):
    User.objects.update(is_active=False)
    assert before.visit("/closed/").status_code == 302
    assert records() == []


def test_a_session_from_before_can_sign_out_at_once(before: Browser):
    assert before.submit("/logout/").status_code == 302
    assert (records(), before.key) == ([("ann", "logout")], None)


def test_it_can_sign_in_again_at_once(before: Browser, ann: User, clock: Time):
    before.sign_in(ann)
    assert records() == [("ann", "")]
    assert phase(clock) is Phase.ACTIVE
    assert before.poll("/open/").json()["user"] == "ann"


def test_another_user_can_sign_in_over_it_at_once(before: Browser, bob: User):
    before.sign_in(bob)
    assert sorted(records()) == [("ann", "logout"), ("bob", "")]


def test_one_in_which_an_operator_acts_as_the_user_ends_with_either_account(browser: Browser, ann: User, bob: User):
    browser.key = str(signed_in_before(bob, **{IMPERSONATOR_KEY: str(ann.pk)}).session_key)
    assert browser.visit("/closed/").json()["user"] == "bob"
    assert (record().username, record().impersonator_name) == ("bob", "ann")
    ann.set_password("changed")
    ann.save()
    assert records() == [("bob", "account")]


def test_acting_as_another_user_and_back_makes_no_sign_in_of_it(before: Browser, ann: User, bob: User):
    before.visit("/closed/")
    before.submit("/act-as/", {"username": "bob", "note": "1"})
    assert record().username == "bob"
    before.submit("/act-as/", {"username": "ann"})
    assert record().username == "ann"
    assert django_sessions.SIGNED_IN_KEY not in before.client.session
    assert 'type="password"' in before.submit("/idlewatch/sessions/", {"others": "1"}).content.decode()
