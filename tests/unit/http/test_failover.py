"""A database that is failed over to a replica which lacks what was written last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session

from idlewatch.core.activity import Reason
from idlewatch.models import WatchedSession
from idlewatch.monitor import service as monitor
from idlewatch.monitor.reconciliation import END_GRACE
from idlewatch.store.base import TOMBSTONE_TTL
from tests.conftest import Time
from tests.support.http import Browser, record, tick, user_of

Signals = list[tuple[str, Any]]


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest, settings: Any) -> None:
    """Each store; sessions are long, so that no clock ends those that come back."""
    settings.IDLEWATCH = {"IDLE_TIMEOUT": 86400}
    if request.param == "redis":
        request.getfixturevalue("on_redis")


def fail_over(lose: Callable[[], object]) -> None:
    """Do something that is lost: the records and Django's sessions are as they were before."""
    before = [*WatchedSession.objects.all(), *Session.objects.all()]
    lose()
    for row in before:
        row.save()


@pytest.mark.rule("R9")
def test_an_end_that_it_lost_is_closed_again_without_another_signal(
    store: None, signed_in: Browser, clock: Time, signals: Signals, caplog: pytest.LogCaptureFixture
):
    key = str(signed_in.key)

    def end() -> None:
        monitor.end(record().pk, Reason.REVOKED, clock.now)
        tick(clock)

    fail_over(end)
    ended, timer = clock.now, tick(clock)
    clock.pass_(END_GRACE + 1)
    tick(clock, timer)
    assert (record().reason, record().ended.timestamp()) == ("revoked", ended)
    assert not Session.objects.exists()
    assert "had lost the end of 1 sessions" in caplog.text
    clock.pass_(TOMBSTONE_TTL)
    tick(clock, timer)
    signed_in.key = key
    assert user_of(signed_in) == ""
    assert signals.count(("ended", Reason.REVOKED)) == 1


def test_a_session_whose_sign_in_it_lost_ends(store: None, browser: Browser, ann: User, clock: Time):
    fail_over(lambda: browser.sign_in(ann))
    WatchedSession.objects.all().delete()
    Session.objects.all().delete()
    timer = tick(clock)
    for _ in range(3):
        clock.pass_(60)
        tick(clock, timer)
    assert user_of(browser) == ""
