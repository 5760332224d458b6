"""A server that lost its store goes on where it stood."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User

from tests.conftest import START, Time
from tests.support.http import Browser, close_last_tab, phase, record, restart_server, tick


@pytest.fixture
def tab(signed_in: Browser) -> Browser:
    signed_in.visit("/page/")
    return signed_in


def end_in_good_order(clock: Time) -> None:
    timer = tick(clock)
    async_to_sync(timer.finish)()
    restart_server()


def test_a_browser_that_was_closed_is_still_noticed(tab: Browser, clock: Time):
    close_last_tab(clock)
    end_in_good_order(clock)
    clock.pass_(299)
    assert phase(clock) == "active"
    clock.pass_(1)
    assert tab.poll("/api/").headers["Idlewatch-Ended"] == "closed"


def test_after_a_crash_the_browser_counts_as_open(tab: Browser, clock: Time):
    close_last_tab(clock)
    clock.pass_(40)
    tick(clock)
    restart_server()
    clock.pass_(400)
    assert phase(clock) == "active"


def test_a_page_without_the_client_is_remembered(tab: Browser, clock: Time):
    tab.visit("/bare/")
    end_in_good_order(clock)
    close_last_tab(clock)
    clock.pass_(300)
    assert phase(clock) == "active"


def test_holding_does_not_start_over(tab: Browser, ann: User, clock: Time, settings: Any):
    settings.IDLEWATCH = {"HOLD_LIMIT": 100}
    tab.sign_in(ann)
    status = 200
    while status == 200:
        clock.pass_(45)
        status = tab.say('{"type": "hold", "id": "x"}').status_code
        tick(clock)
        restart_server()
    assert clock.now - START <= 180


def test_a_warning_is_counted_once(tab: Browser, clock: Time):
    clock.pass_(800)
    tick(clock)
    clock.pass_(46)
    tick(clock)
    assert record().warnings == 1
    restart_server()
    tick(clock)
    clock.pass_(46)
    tick(clock)
    assert record().warnings == 1
    assert phase(clock) == "warned"


def test_a_restart_knows_of_the_absolute_limit(browser: Browser, ann: User, clock: Time, settings: Any):
    settings.IDLEWATCH = {"ABSOLUTE_TIMEOUT": 1000}
    browser.sign_in(ann)
    clock.pass_(800)
    browser.visit("/closed/")
    tick(clock)
    restart_server()
    assert browser.poll("/open/").json()["remaining"] == pytest.approx(200)
    clock.pass_(200)
    assert browser.poll("/api/").headers["Idlewatch-Ended"] == "absolute"
