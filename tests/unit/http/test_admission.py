"""How a request is judged by its session's clocks, and moves them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from idlewatch.consumers.authentication import find_session
from idlewatch.core.activity import Reason
from idlewatch.core.policy import Phase
from idlewatch.monitor import django_sessions, records
from idlewatch.monitor import service as monitor
from tests.conftest import START, Time
from tests.support import http_site
from tests.support.http import Browser, last_active, phase, record


@pytest.mark.rule("R1", "R5")
def test_polls_alone_do_not_keep_a_session(signed_in: Browser, clock: Time):
    for _ in range(3):
        clock.pass_(290)
        assert signed_in.poll("/api/").status_code == 200
        assert signed_in.poll("/idlewatch/state/").status_code == 200
    clock.pass_(30)
    response = signed_in.poll("/api/")
    assert response.status_code == 401
    assert response.headers["Idlewatch-Ended"] == "idle"


@pytest.mark.rule("R1")
@pytest.mark.parametrize("early", [0.001, 0.0])
def test_the_end_comes_at_its_moment_and_not_before(signed_in: Browser, clock: Time, early: float):
    clock.pass_(900 - early)
    response = signed_in.visit("/closed/")
    assert response.status_code == (200 if early else 302)


@pytest.mark.rule("R2", "R3")
def test_a_request_resets_the_idle_clock_alone(browser: Browser, ann: User, clock: Time, settings: Any):
    settings.IDLEWATCH = {"ABSOLUTE_TIMEOUT": 2400}
    browser.sign_in(ann)
    for _ in range(2):
        clock.pass_(800)
        assert browser.visit("/closed/").status_code == 200
    clock.pass_(799)
    assert browser.visit("/open/").json()["phase"] == "warned"
    clock.pass_(1)
    assert browser.visit("/open/").json()["reason"] == "absolute"


@pytest.mark.parametrize(("go", "seconds"), [(Browser.visit, 15), (Browser.poll, 500)], ids=["short", "poll"])
def test_a_short_request_and_a_long_poll_do_not_count_again(signed_in: Browser, clock: Time, go: Any, seconds: float):
    http_site.during.append(lambda _: clock.pass_(seconds))
    go(signed_in, "/meanwhile/")
    assert last_active() == START


def test_a_request_that_outlasts_the_session_does_not_revive_it(signed_in: Browser, clock: Time):
    http_site.during.append(lambda _: clock.pass_(901))
    signed_in.visit("/meanwhile/")
    assert phase(clock) is Phase.ENDED


def test_the_reason_is_known_with_the_session_engines_of_packages_too(browser: Browser, ann: User, package_engine: str):
    browser.sign_in(ann)
    django_sessions.delete([browser.key or ""])
    assert find_session(browser.key) == (None, Reason.LOST)
    assert browser.poll("/api/").headers["Idlewatch-Ended"] == "lost"
    assert browser.key is None


def test_the_reason_is_that_of_an_end_by_another_process_of_which_the_store_does_not_know_yet(signed_in: Browser):
    """A command closes the record and deletes the session; the process with the memory store looks once a second."""
    key = signed_in.key or ""
    assert records.close(record().id, Reason.REVOKED, START)
    django_sessions.delete([key])
    assert signed_in.poll("/api/").headers["Idlewatch-Ended"] == "revoked"
    assert monitor.look(record().id, START).activity.reason is Reason.REVOKED


class TestVisitors:
    """A site knows visitors, or their carts, by the key of a session that has no data."""

    @pytest.mark.usefixtures("engine")
    @pytest.mark.parametrize("engine", ["db", "cache", "cached_db", "file"], indirect=True)
    def test_their_sessions_keep_their_keys(self, browser: Browser):
        http_site.during.append(lambda request: request.session.create())
        assert browser.visit("/meanwhile/").status_code == 200
        http_site.during.clear()
        key = browser.key
        for _ in range(2):
            assert browser.visit("/open/").json()["phase"] is None
            assert browser.key == key
        assert django_sessions.engine()().exists(key)
        assert find_session(key) == (None, None)

    def test_one_that_a_middleware_begins_is_kept(self, browser: Browser, settings: Any):
        at = settings.MIDDLEWARE.index("idlewatch.middleware.IdleWatchMiddleware")
        begin = f"{__name__}.beginning_a_session"
        settings.MIDDLEWARE = [*settings.MIDDLEWARE[:at], begin, *settings.MIDDLEWARE[at:]]
        assert browser.visit("/open/").status_code == 200
        assert django_sessions.engine()().exists(browser.key)


def beginning_a_session(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Any:
    def middleware(request: HttpRequest) -> HttpResponseBase:
        if not request.session.session_key:
            request.session.create()
        return get_response(request)

    return middleware
