"""Probes: sessions that begin without a sign-in, try the site, and leave nothing."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.utils import timezone
from msgspec.structs import replace

from idlewatch.core.activity import Reason
from idlewatch.core.policy import Phase
from idlewatch.core.probes import PROBE_LIFETIME, is_probe
from idlewatch.models import WatchedSession
from idlewatch.monitor import django_sessions, probes, records, stores
from idlewatch.monitor.probes import END_GRACE, NoBackend
from tests.conftest import Time
from tests.support.http import phase, tick, user_of
from tests.support.probes import begin_probe, probing
from tests.support.watches import sign_in_many

pytestmark = pytest.mark.usefixtures("site")

LIMITS = probes.limits(idle_timeout=110, warn_before=10)


@pytest.fixture
def sign_ins() -> Any:
    heard: list[Any] = []

    def hear(user: Any, **_: Any) -> None:
        heard.append(user)

    user_logged_in.connect(hear)
    yield heard
    user_logged_in.disconnect(hear)


def test_one_begins_with_no_sign_in(ann: User, clock: Time, sign_ins: list[Any]):
    browser, probe = probing(ann, clock)
    assert user_of(browser) == "ann"
    assert is_probe(probe.watch_id)
    assert sign_ins == []
    ann.refresh_from_db()
    assert ann.last_login is None


@pytest.mark.parametrize("store", ["memory", "redis"])
def test_one_is_warned_and_ends_as_others_do(ann: User, clock: Time, store: str, request: Any):
    if store == "redis":
        request.getfixturevalue("on_redis")
    browser, probe = probing(ann, clock, idle_timeout=30, warn_before=10)
    browser.visit("/page/")
    clock.pass_(20)
    tick(clock)
    assert phase(clock, probe.watch_id) is Phase.WARNED
    browser.say('{"type": "extend"}')
    assert phase(clock, probe.watch_id) is Phase.ACTIVE
    clock.pass_(30)
    tick(clock)
    assert browser.poll("/api/").headers["Idlewatch-Ended"] == "idle"
    assert WatchedSession.objects.get(pk=probe.watch_id).reason == "idle"


def test_one_lives_for_two_minutes_at_most_whatever_it_does(ann: User, clock: Time):
    browser, _ = probing(ann, clock)
    for _ in range(int(PROBE_LIFETIME) // 30):
        browser.visit("/page/")
        clock.pass_(30)
    assert browser.poll("/api/").headers["Idlewatch-Ended"] == "absolute"
    tick(clock)
    assert WatchedSession.objects.get().reason == "absolute"


def test_one_that_was_not_ended_is_over_for_a_process_that_never_saw_it(ann: User, clock: Time):
    probe = begin_probe(ann, clock)
    clock.pass_(PROBE_LIFETIME)
    assert phase(clock, probe.watch_id) is Phase.ENDED


def test_its_end_leaves_no_session(ann: User, clock: Time):
    browser, probe = probing(ann, clock)
    browser.visit("/page/")
    probes.end(probe, clock.now)
    assert WatchedSession.objects.get().reason == "logout"
    assert not probe.session.exists(probe.cookies["sessionid"])
    assert user_of(browser) == ""


def test_its_limits_are_no_looser_than_its_lifetime(ann: User, clock: Time):
    policy = probes.limits(idle_timeout=60, warn_before=10)
    assert (policy.absolute_timeout, policy.close_grace, policy.hold_limit) == (PROBE_LIFETIME, None, 0.0)


def test_an_account_that_no_backend_admits_has_none(ann: User, clock: Time):
    User.objects.filter(pk=ann.pk).update(is_active=False)
    with pytest.raises(NoBackend):
        begin_probe(ann, clock)
    assert not WatchedSession.objects.exists()


def test_others_do_not_count_it(ann: User, clock: Time):
    probe = begin_probe(ann, clock)
    assert records.count_others(str(ann.pk), "w1", clock.now) == (0, 0)
    probes.monitor.end(probe.watch_id, Reason.ACCOUNT, clock.now)
    assert records.count_others(str(ann.pk), "w1", clock.now) == (0, 0)


@pytest.mark.usefixtures("engine")
def test_every_engine_has_it(ann: User, clock: Time):
    cache.clear()
    browser, probe = probing(ann, clock)
    assert user_of(browser) == "ann"
    assert browser.client.session[django_sessions.WATCH_KEY] == probe.watch_id
    probes.end(probe, clock.now)
    assert user_of(browser) == ""


@pytest.mark.usefixtures("engine")
def test_no_engine_keeps_it_for_longer(ann: User, clock: Time, engine: str):
    cache.clear()
    probe = begin_probe(ann, clock)
    kept = django_sessions.engine()(probe.session.session_key)
    assert kept[django_sessions.WATCH_KEY] == probe.watch_id
    assert kept.get_expiry_age() == PROBE_LIFETIME
    if engine == "db":
        assert (Session.objects.get().expire_date - timezone.now()).total_seconds() <= PROBE_LIFETIME


class PickleSerializer:
    """As Django had it."""

    def dumps(self, data: Any) -> bytes:
        return pickle.dumps(data)

    def loads(self, data: bytes) -> Any:
        return pickle.loads(data)


def test_it_is_written_as_the_site_writes_sessions(ann: User, clock: Time, settings: Any):
    settings.SESSION_SERIALIZER = f"{__name__}.PickleSerializer"
    browser, _ = probing(ann, clock)
    assert user_of(browser) == "ann"


@pytest.mark.parametrize("asked", [None, 1000.0, 30.0])
def test_whatever_limit_is_asked_for_it_lives_for_two_minutes_at_most(ann: User, clock: Time, asked: float | None):
    probe = probes.begin(ann, replace(LIMITS, absolute_timeout=asked), clock.now)
    expected = min(asked or PROBE_LIFETIME, PROBE_LIFETIME)
    assert WatchedSession.objects.get(pk=probe.watch_id).limits["absolute_timeout"] == expected


def test_the_limits_of_the_site_change_nothing_in_it(ann: User, clock: Time, settings: Any):
    settings.IDLEWATCH = {"POLICY": f"{__name__}.ask_nothing", "BASELINE": "pci-dss", "ABSOLUTE_TIMEOUT": 90_000}
    browser, probe = probing(ann, clock)
    browser.visit("/page/")
    found = stores.current().sessions.get(probe.watch_id)
    assert found is not None
    assert found.policy == probe.policy


def ask_nothing(user: Any, request: Any) -> dict[str, float]:
    raise AssertionError("a probe has limits of its own")


def test_a_signed_cookie_is_stored_nowhere(ann: User, clock: Time, settings: Any):
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    browser, probe = probing(ann, clock)
    browser.visit("/page/")
    found = stores.current().sessions.get(probe.watch_id)
    assert found is not None
    assert found.key is None
    (row,) = WatchedSession.objects.values()
    assert not [value for value in row.values() if str(probe.session.session_key) in str(value)]
    assert row["session_digest"] == ""


class Interruption(BaseException):
    """As Ctrl-C is."""


@pytest.mark.parametrize("at", ["the record", "its announcement", "the work"])
def test_one_that_is_interrupted_leaves_nothing_that_lives(
    ann: User, clock: Time, at: str, monkeypatch: pytest.MonkeyPatch
):
    def interrupt(*_: Any, **__: Any) -> None:
        raise Interruption

    if at == "the record":
        monkeypatch.setattr(WatchedSession, "save", interrupt)
    elif at == "its announcement":
        monkeypatch.setattr(probes.announce, "opened", interrupt)

    def work() -> None:
        with probes.probing(ann, LIMITS, lambda: clock.now):
            assert (at, Session.objects.count()) == ("the work", 1)
            raise Interruption

    with pytest.raises(Interruption):
        work()
    assert not WatchedSession.objects.live().exists()
    assert not Session.objects.exists()


@pytest.mark.parametrize("store", ["memory", "redis"])
@pytest.mark.parametrize("is_used", [True, False])
def test_one_whose_doctor_was_killed_is_recorded_as_over_by_the_site(
    ann: User, clock: Time, store: str, is_used: bool, request: Any
):
    if store == "redis":
        request.getfixturevalue("on_redis")
    browser, probe = probing(ann, clock)
    timer = tick(clock)
    if is_used:
        browser.visit("/page/")
    # One that has not been used is found where the records are compared with the store.
    clock.pass_(PROBE_LIFETIME)
    for _ in range(2):
        tick(clock, timer)
        clock.pass_(15)
    record = WatchedSession.objects.get(pk=probe.watch_id)
    assert record.ended is not None
    assert record.ended.timestamp() - record.started.timestamp() <= PROBE_LIFETIME
    assert record.reason in {"idle", "absolute"}
    # The row of one whose key no process has seen expires by itself.
    assert Session.objects.exists() is not is_used


@pytest.mark.parametrize("store", ["memory", "redis"])
def test_the_next_doctor_ends_one_where_no_process_runs(ann: User, clock: Time, store: str, request: Any):
    if store == "redis":
        request.getfixturevalue("on_redis")
    probe, watched = begin_probe(ann, clock), sign_in_many(1, at=clock.now)[0]
    probes.end_overdue(clock.pass_(PROBE_LIFETIME))
    assert WatchedSession.objects.live().count() == 2
    probes.end_overdue(clock.pass_(END_GRACE + 1))
    assert WatchedSession.objects.live().get().pk == watched.id
    record = WatchedSession.objects.get(pk=probe.watch_id)
    assert record.ended is not None
    assert record.ended.timestamp() - record.started.timestamp() <= PROBE_LIFETIME
