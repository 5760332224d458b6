"""Operators who act as another user: one session, which keeps its clocks, and is no sign-in."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core import signing
from django.test import RequestFactory
from msgspec.structs import replace

from idlewatch.core.activity import Reason
from idlewatch.http.request_state import attach_state
from idlewatch.http.sign_in import mark_impersonation
from idlewatch.models import WatchedSession
from idlewatch.monitor import django_sessions, stores
from idlewatch.monitor.impersonation import Actors, actors_of
from tests.conftest import START, Time
from tests.support.http import Browser, last_active, record, records, restart_server, tick, user_of
from tests.support.processes import lose_store

PAGE = "/idlewatch/sessions/"


def act_as(browser: Browser, user: User, **data: str) -> Any:
    return browser.submit("/act-as/", {"username": str(user), "note": "1"} | data)


def release(browser: Browser, user: User, **data: str) -> Any:
    return browser.submit("/act-as/", {"username": str(user)} | data)


def people() -> tuple[str, str]:
    return record().username, record().impersonator_name


@pytest.fixture
def operator(signed_in: Browser, clock: Time) -> Browser:
    """Ann's browser, ten minutes after she signed in to it."""
    clock.pass_(600)
    return signed_in


@pytest.mark.parametrize("engine", ["db", "cache", "signed_cookies"], indirect=True)
def test_one_session_keeps_its_id_and_clocks_through_acting_and_back(
    engine: str, operator: Browser, ann: User, bob: User, clock: Time, signals: list[Any], settings: Any
):
    settings.IDLEWATCH = {"ABSOLUTE_TIMEOUT": 1400}
    operator.sign_in(ann)
    watch_id, began = record().pk, clock.now
    for switch, user, names in ((act_as, bob, ("bob", "ann")), (release, ann, ("ann", ""))):
        clock.pass_(500)
        switch(operator, user)
        assert user_of(operator) == user.username
        assert people() == names
        kept = record()
        assert (kept.pk, kept.ended, kept.signed_in.timestamp()) == (watch_id, None, began)
        assert last_active() == clock.now
    assert [kind for kind, *_ in signals] == []
    clock.pass_(400)
    assert operator.poll("/api/").headers["Idlewatch-Ended"] == "absolute"


def test_the_key_from_before_is_dead_and_costs_the_session_nothing(operator: Browser, bob: User):
    old = operator.key
    act_as(operator, bob)
    new = operator.key
    operator.key = str(old)
    assert user_of(operator) == ""
    operator.key = str(new)
    assert user_of(operator) == "bob"


def test_a_package_may_sign_the_operator_out_to_release_the_user(operator: Browser, ann: User, bob: User):
    act_as(operator, bob)
    watch_id = record().pk
    release(operator, ann, logout="1")
    assert (record().pk, people(), record().ended) == (watch_id, ("ann", ""), None)


def test_signing_out_while_acting_ends_the_session(operator: Browser, bob: User):
    act_as(operator, bob)
    operator.submit("/logout/")
    assert records() == [("bob", "logout")]
    assert user_of(operator) == ""


@pytest.mark.parametrize("acting", [False, True])
def test_another_user_who_signs_in_over_it_ends_it(operator: Browser, bob: User, acting: bool):
    eve = User.objects.create_user("eve")
    if acting:
        act_as(operator, bob)
    release(operator, eve)
    assert records() == [("bob" if acting else "ann", "logout"), ("eve", "")]
    assert user_of(operator) == "eve"


def test_a_page_that_such_a_sign_in_renders_has_the_new_session(operator: Browser, bob: User):
    page = release(operator, bob, page="1").content.decode()
    assert 'id="idlewatch-client"' in page
    assert records() == [("ann", "logout"), ("bob", "")]


def test_acting_by_turns_is_the_doing_of_who_signed_in(operator: Browser, ann: User, bob: User):
    watch_id, eve = record().pk, User.objects.create_user("eve")
    act_as(operator, bob)
    # As django-loginas, this notes the last of them alone.
    act_as(operator, eve)
    assert (record().pk, people()) == (watch_id, ("eve", "ann"))
    release(operator, bob, logout="1")
    assert (record().pk, people()) == (watch_id, ("bob", "ann"))
    release(operator, ann)
    assert (record().pk, people()) == (watch_id, ("ann", ""))


def test_an_error_after_the_switch_leaves_the_operator_signed_in(ann: User, bob: User, clock: Time):
    browser = Browser(raise_request_exception=False)
    browser.sign_in(ann)
    assert act_as(browser, bob, fail="1").status_code == 500
    assert user_of(browser) == "ann"
    assert records() == [("ann", "")]


def test_the_stricter_limits_of_both_hold_and_stay(operator: Browser, ann: User, bob: User, clock: Time, settings: Any):
    settings.IDLEWATCH = {"POLICY": "tests.unit.http.test_impersonation.short_for_bob"}
    for switch, user in ((act_as, bob), (release, ann)):
        switch(operator, user)
        assert operator.poll("/open/").json()["remaining"] == 300
    clock.pass_(300)
    assert operator.poll("/api/").headers["Idlewatch-Ended"] == "idle"


def short_for_bob(user: User, _request: Any) -> dict[str, object] | None:
    return {"IDLE_TIMEOUT": 300, "HOLD_LIMIT": 99_999} if user.username == "bob" else None


def test_it_counts_for_neither_limit_until_the_operator_is_back(
    operator: Browser, ann: User, bob: User, clock: Time, settings: Any
):
    settings.IDLEWATCH = {"MAX_SESSIONS_PER_USER": 1}
    victim, desk = Browser(), Browser()
    victim.sign_in(bob)
    act_as(operator, bob)
    desk.sign_in(ann)
    assert [user_of(each) for each in (victim, operator, desk)] == ["bob", "bob", "ann"]
    clock.pass_(1)
    release(operator, ann)
    assert user_of(desk) == "ann"
    assert user_of(operator) == ""
    assert sorted(records()) == [("ann", ""), ("ann", "replaced"), ("bob", "")]


def test_it_is_no_fresh_sign_in_and_ends_no_session_of_the_user(signed_in: Browser, ann: User, bob: User, clock: Time):
    theirs = Browser()
    theirs.sign_in(bob)
    act_as(signed_in, bob)
    other = WatchedSession.objects.get(username="bob", impersonator_name="").pk
    for data in ({"end": other}, {"others": "1"}, {"end": other, "password": "correct horse"}):
        signed_in.submit(PAGE, data)
        assert "You can’t end sessions while you act as another user." in signed_in.visit(PAGE).content.decode()
    assert user_of(theirs) == "bob"
    clock.pass_(400)
    release(signed_in, ann)
    assert 'type="password"' in signed_in.submit(PAGE, {"others": "1"}).content.decode()


def test_both_users_see_it_among_their_sessions(operator: Browser, ann: User, bob: User):
    act_as(operator, bob)
    for user, shown in ((bob, "Impersonated by</dt><dd><bdi>ann"), (ann, "User</dt><dd><bdi>bob")):
        browser = Browser()
        browser.sign_in(user)
        assert shown in browser.visit(PAGE).content.decode()


@pytest.mark.parametrize("change", [{"is_active": False}, {"password": "!"}])
@pytest.mark.parametrize("who", ["ann", "bob"])
@pytest.mark.parametrize("by_signal", [True, False])
def test_it_ends_with_either_account(
    operator: Browser, bob: User, clock: Time, who: str, change: dict[str, object], by_signal: bool
):
    act_as(operator, bob)
    if by_signal:
        user = User.objects.get(username=who)
        vars(user).update(change)
        user.save()
    else:
        User.objects.filter(username=who).update(**change)
        for _ in range(3):
            clock.pass_(60)
            tick(clock)
    assert record().reason == Reason.ACCOUNT


@pytest.mark.parametrize("lost", [lose_store, restart_server])
def test_a_store_that_is_new_has_it_as_it_is(operator: Browser, bob: User, lost: Any):
    act_as(operator, bob)
    lost()
    assert user_of(operator) == "bob"
    assert people() == ("bob", "ann")


def test_a_store_that_does_not_know_of_it_is_told(operator: Browser, ann: User, bob: User):
    """One that was away at the time."""
    act_as(operator, bob)
    watched = stores.current().sessions.get(record().pk)
    stores.current().sessions.transfer(replace(watched, user=str(ann.pk)), START + 600)
    assert user_of(operator) == "bob"
    assert stores.current().sessions.get(record().pk).user == str(bob.pk)


def test_one_that_ends_during_the_switch_stays_ended(
    operator: Browser, bob: User, signals: list[Any], settings: Any, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, "idlewatch")
    settings.IDLEWATCH = {"POLICY": "tests.unit.http.test_sign_in.revoking"}
    act_as(operator, bob)
    assert user_of(operator) == ""
    assert (records(), people()) == ([("ann", "revoked")], ("ann", ""))
    assert signals == [("ended", Reason.REVOKED)]
    assert "impersonation" not in caplog.text


def test_only_a_user_who_is_signed_in_can_act_as_another():
    request = RequestFactory().get("/")
    attach_state(request, START)
    with pytest.raises(ValueError, match="without a signed-in user"):
        mark_impersonation(request)


def test_the_note_before_the_sign_in_which_would_delete_it_is_refused(operator: Browser, bob: User):
    with pytest.raises(ValueError, match="expected login"):
        operator.submit("/act-as/", {"username": "bob", "note": "1", "early": "1"})
    assert user_of(operator) == "ann"


def test_operators_may_act_as_themselves(operator: Browser, ann: User):
    assert act_as(operator, ann).status_code == 200
    assert people() == ("ann", "")


@pytest.mark.parametrize(
    ("app", "data", "actors"),
    [
        ("hijack", {"hijack_history": ["1", "2"]}, ("3", "1")),
        ("hijack", {"hijack_history": []}, ("3", "3")),
        ("impersonate", {"_impersonate": 7}, ("7", "3")),
        ("impersonate", {}, ("3", "3")),
        ("loginas", {"loginas_from_user": "forged:1:x"}, ("3", "3")),
        ("loginas", {}, ("3", "3")),
        ("django_su", {"exit_users_pk": [[1, "backend"], [2, "backend"]]}, ("3", "1")),
    ],
)
def test_notes_of_packages(app: str, data: dict[str, Any], actors: tuple[str, str], monkeypatch: pytest.MonkeyPatch):
    session = django_sessions.engine()()
    assert actors_of(session) is None
    session.update({"_auth_user_id": "3"} | data)
    assert actors_of(session) == Actors("3", "3")
    monkeypatch.setattr(apps, "is_installed", app.__eq__)
    assert actors_of(session) == actors


def test_the_note_of_loginas_is_signed(monkeypatch: pytest.MonkeyPatch, settings: Any):
    session = django_sessions.engine()()
    session.update({"_auth_user_id": "3", "by": signing.TimestampSigner().sign("1")})
    settings.LOGINAS_FROM_USER_SESSION_FLAG = "by"
    monkeypatch.setattr(apps, "is_installed", "loginas".__eq__)
    assert actors_of(session) == Actors("3", "1")
