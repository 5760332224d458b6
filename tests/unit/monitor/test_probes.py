"""Probes: sessions that begin without a sign-in, try the site, and leave nothing."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.core.cache import cache

from idlewatch.core.activity import Reason
from idlewatch.core.policy import Phase
from idlewatch.core.probes import PROBE_LIFETIME, is_probe
from idlewatch.models import WatchedSession
from idlewatch.monitor import django_sessions, probes, records
from idlewatch.monitor.probes import NoBackend
from tests.conftest import Time
from tests.support.http import phase, tick, user_of
from tests.support.probes import begin_probe, probing

pytestmark = pytest.mark.usefixtures("site")


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
