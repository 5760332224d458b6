"""The notice of an end is shown once, on the next page that the user sees."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory
from django.utils import translation

from idlewatch.core.activity import Reason
from idlewatch.http.i18n import NOTICES
from idlewatch.http.request_state import find_state, state_of
from idlewatch.http.responses import REASON_COOKIE_AGE, reason_cookie
from idlewatch.monitor import service as monitor
from tests.conftest import Time
from tests.support import http_site
from tests.support.http import HTMX, Browser, record

IDLE = "You have been signed out because of inactivity."


def notice(browser: Browser, path: str = "/open/") -> str | None:
    return browser.visit(path).json()["notice"]


def test_what_a_script_fetches_and_a_page_that_does_not_show_it_leave_it(late: Browser):
    assert late.poll("/api/").status_code == 401
    assert late.poll("/open/").json()["notice"] is None
    assert late.ask("get", "/open/", headers=HTMX).json()["notice"] is None
    late.visit("/bare/")
    assert notice(late) == IDLE
    assert notice(late) is None


@pytest.mark.rule("R22")
def test_it_travels_in_a_short_lived_signed_cookie(late: Browser, clock: Time, settings: Any):
    settings.SESSION_COOKIE_SECURE = True
    response = late.visit("/closed/")
    cookie = response.cookies[reason_cookie()]
    assert cookie["httponly"]
    assert cookie["secure"]
    assert cookie["samesite"] == "Lax"
    assert cookie["max-age"] == REASON_COOKIE_AGE
    late.client.cookies[reason_cookie()] = "revoked:forged"
    assert notice(late) is None


def test_signing_in_drops_it(late: Browser, ann: User):
    late.visit("/closed/")
    late.sign_in(ann)
    assert not late.client.cookies[reason_cookie()].value
    assert notice(late) is None


@pytest.mark.rule("R11")
@pytest.mark.parametrize("reason", [None, Reason.REVOKED])
def test_it_is_known_when_the_session_row_is_gone(signed_in: Browser, clock: Time, reason: Reason | None):
    if reason is not None:
        monitor.end(record().pk, reason, clock.now)
    Session.objects.all().delete()
    assert notice(signed_in) == str(NOTICES[reason or Reason.LOST])
    assert signed_in.key is None


def test_a_stale_cookie_is_looked_up_once(signed_in: Browser, django_assert_num_queries: Any):
    Session.objects.all().delete()
    signed_in.visit("/bare/")
    assert signed_in.key is None
    with django_assert_num_queries(0):
        signed_in.visit("/bare/")


def test_each_reason_has_a_sentence_in_the_language_of_the_page():
    assert set(NOTICES) == set(Reason)
    with translation.override("de"):
        assert all(str(sentence).endswith(".") for sentence in NOTICES.values())
    assert "because of inactivity" in str(NOTICES[Reason.IDLE])


def test_a_page_may_ask_for_it_again_and_again(late: Browser):
    late.visit("/closed/")
    asked: list[Any] = []
    http_site.during.append(lambda request: asked.extend(str(request.idlewatch.notice) for _ in range(2)))
    late.visit("/meanwhile/")
    assert asked == [IDLE, IDLE]


def test_a_request_that_the_middleware_has_not_seen_has_no_state():
    request = RequestFactory().get("/closed/")
    assert find_state(request) is None
    with pytest.raises(
        ImproperlyConfigured, match=r"/closed/ .* expected 'idlewatch\.middleware\.IdleWatchMiddleware'"
    ):
        state_of(request)


@pytest.mark.rule("R19")
def test_no_cache_keeps_it(late: Browser):
    late.visit("/closed/")
    response = late.visit("/page/")
    assert IDLE in response.content.decode()
    assert "Cookie" in response.headers["Vary"]
    assert response.headers["Cache-Control"] == "no-store, private"
