"""The middleware behaves alike under WSGI and ASGI, with sync and async views: one journey for each outcome.

The other tests run over WSGI alone: what the two interfaces share is tested once.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.db import connections

from idlewatch import middleware
from idlewatch.core.activity import Reason
from idlewatch.exceptions import Undecided
from idlewatch.http import admission
from idlewatch.monitor import django_sessions, stores
from idlewatch.monitor import service as monitor
from idlewatch.process import Lane, in_thread
from tests.conftest import START, Time
from tests.support import http_site
from tests.support.http import FETCH, HTMX, NAVIGATION, PASSWORD, Browser, last_active, record, records

IDLE = "You have been signed out because of inactivity."

pytestmark = pytest.mark.parametrize("is_async", [False, True], ids=["wsgi", "asgi"])


@pytest.fixture
def make_browser(is_async: bool, clock: Time) -> Callable[..., Browser]:
    return lambda **options: Browser(is_async=is_async, **options)


@pytest.mark.parametrize("path", ["/closed/", "/aclosed/"])
def test_an_admitted_request_reaches_its_view_and_counts(signed_in: Browser, clock: Time, path: str):
    clock.pass_(800)
    page = signed_in.poll(path).json()
    assert (page["user"], page["phase"], page["remaining"], last_active()) == ("ann", "warned", 100, START)
    page = signed_in.visit(path).json()
    assert (page["user"], page["phase"], page["remaining"], last_active()) == ("ann", "active", 900, clock.now)


@pytest.mark.parametrize("path", ["/active/", "/aactive/", "/passive/", "/apassive/"])
def test_the_mark_of_a_view_decides(signed_in: Browser, clock: Time, path: str):
    clock.pass_(100)
    signed_in.ask("get", path, headers=FETCH if "active" in path else NAVIGATION)
    assert last_active() == (clock.now if "active" in path else START)


@pytest.mark.parametrize("path", ["/meanwhile/", "/ameanwhile/"])
def test_a_long_request_counts_again_when_it_is_answered(signed_in: Browser, clock: Time, path: str):
    http_site.during.append(lambda _: clock.pass_(500))
    signed_in.visit(path)
    assert last_active() == START + 500


@pytest.mark.parametrize("path", ["/closed/", "/aclosed/"])
def test_a_page_that_is_no_news_is_followed_without_a_thread(
    signed_in: Browser, clock: Time, monkeypatch: pytest.MonkeyPatch, path: str, is_async: bool
):
    hops: list[str] = []

    async def hop(lane: Lane, function: Callable[..., Any], *args: Any) -> Any:
        hops.append(function.__name__)
        return await in_thread(lane, function, *args)

    monkeypatch.setattr(middleware, "in_thread", hop)
    for visit in (signed_in.visit, signed_in.poll, signed_in.visit):
        hops.clear()
        visit(path)
    assert hops == (["enter"] if is_async else [])

    hops.clear()
    http_site.during.append(lambda _: clock.pass_(500))
    signed_in.visit("/meanwhile/")
    assert hops == (["enter", "follow"] if is_async else [])
    assert last_active() == START + 500


def test_a_request_without_a_cookie_costs_nothing(
    browser: Browser, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(stores, "store_of", lambda _: pytest.fail("the store was asked"))
    with django_assert_num_queries(0):
        response = browser.visit("/bare/")
    assert response.status_code == 200
    assert "Cookie" not in response.headers.get("Vary", "")


@pytest.mark.parametrize("path", ["/closed/", "/aclosed/", "/api/"])
def test_after_the_end_a_page_leads_to_the_sign_in_page_with_a_notice(late: Browser, path: str):
    assert late.visit(path).url == f"/login/?next={path}"
    assert late.key is None
    assert late.visit("/open/").json()["notice"] == IDLE
    assert late.visit("/open/").json()["notice"] is None


@pytest.mark.parametrize("path", ["/open/", "/aopen/"])
def test_after_the_end_a_public_page_goes_on_as_anonymous(late: Browser, path: str):
    page = late.visit(path).json()
    assert (page["user"], page["phase"], page["reason"], page["notice"]) == ("", "ended", "idle", IDLE)


def test_after_the_end_a_script_gets_a_401(late: Browser):
    key = late.key
    response = late.poll("/aclosed/")
    assert (response.status_code, response.headers["Idlewatch-Ended"]) == (401, "idle")
    late.key = key
    response = late.ask("get", "/aclosed/", headers=HTMX)
    assert (response.status_code, response.headers["HX-Redirect"]) == (401, "/login/?next=/")


def test_after_the_end_another_method_reaches_no_view_but_the_sign_in(late: Browser, ann: User):
    http_site.during.append(lambda _: pytest.fail("a view was reached"))
    key = late.key
    assert late.submit("/ameanwhile/").status_code == 302
    late.key = key
    late.sign_in(ann)
    assert late.visit("/aclosed/").json()["user"] == "ann"
    assert records() == [("ann", "idle"), ("ann", "")]


def test_an_end_while_the_view_runs_brings_no_session_back(signed_in: Browser, clock: Time):
    http_site.during.append(lambda _: monitor.end(record().pk, Reason.REVOKED, clock.now))
    assert signed_in.visit("/note/").status_code == 200
    assert signed_in.key is None


def test_an_undecided_request_is_answered_with_503(signed_in: Browser, monkeypatch: pytest.MonkeyPatch):
    with mock.patch.object(admission.monitor, "look", side_effect=Undecided):
        response = signed_in.visit("/aclosed/")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
    assert signed_in.visit("/aclosed/").json()["user"] == "ann"


@pytest.mark.parametrize("path", ["/meanwhile/", "/ameanwhile/"])
def test_so_is_one_whose_view_finds_the_state_undecided(signed_in: Browser, path: str):
    def fail(_: object) -> None:
        raise Undecided

    http_site.during.append(fail)
    assert signed_in.visit(path).status_code == 503


def test_a_view_that_fails_leaves_the_session(make_browser: Callable[..., Browser], ann: User):
    browser = make_browser(raise_request_exception=False)
    browser.sign_in(ann)

    def fail(_: object) -> None:
        raise RuntimeError("a bug in the view")

    http_site.during.append(fail)
    for path in ("/meanwhile/", "/ameanwhile/"):
        assert browser.visit(path).status_code == 500
    assert browser.visit("/aclosed/").json()["user"] == "ann"


def test_a_sign_in_opens_a_session_and_a_sign_out_ends_it(signed_in: Browser):
    assert records() == [("ann", "")]
    signed_in.submit("/logout/")
    assert signed_in.key is None
    assert records() == [("ann", "logout")]
    assert signed_in.visit("/aopen/").json()["notice"] is None


def test_another_users_sign_in_ends_the_first(signed_in: Browser, bob: User):
    first = signed_in.key
    signed_in.sign_in(bob)
    assert signed_in.key not in {None, first}
    assert signed_in.visit("/aclosed/").json()["user"] == "bob"
    assert sorted(records()) == [("ann", "logout"), ("bob", "")]


@pytest.mark.rule("R16")
@pytest.mark.parametrize("path", ["/rotate/", "/arotate/", "/change-password/"])
def test_a_session_keeps_its_watch_under_its_new_key(
    signed_in: Browser, make_browser: Callable[..., Browser], path: str
):
    other = make_browser()
    other.key = old = str(signed_in.key)

    def poll() -> None:
        try:
            other.poll("/aopen/")
        finally:
            connections.close_all()

    def poll_meanwhile(_: object) -> None:
        # In a thread, since async views have an event loop in theirs.
        with ThreadPoolExecutor(1) as executor:
            executor.submit(poll).result()

    # Between the rotation and its response, the old key must not look lost.
    http_site.during.append(poll_meanwhile)
    signed_in.submit(path, {"password": "new " + PASSWORD})
    assert signed_in.key not in {None, old}
    assert signed_in.poll("/aopen/").json()["user"] == "ann"
    assert (other.key, records()) == (old, [("ann", "")])
    assert record().session_digest == django_sessions.digest(signed_in.key)


@pytest.mark.rule("R12", "R13")
def test_a_new_password_ends_the_other_sessions_and_keeps_this_one(
    signed_in: Browser, make_browser: Callable[..., Browser], ann: User
):
    other = make_browser()
    other.sign_in(ann)
    signed_in.submit("/change-password/", {"password": "new " + PASSWORD})
    assert signed_in.poll("/aopen/").json()["user"] == "ann"
    assert other.poll("/api/").headers["Idlewatch-Ended"] == "account"


@pytest.mark.parametrize("kind", ["text/html", "text/csv"])
def test_a_stream_counts_when_it_is_through(ann: User, clock: Time, is_async: bool, kind: str):
    browser = Browser(is_async=is_async)
    browser.sign_in(ann)
    http_site.during.append(lambda _: clock.pass_(500))
    watch_id = record().pk

    async def read() -> bytes:
        response = await browser.client.get(f"/astream/?type={kind}", headers=NAVIGATION)
        assert last_active(watch_id) == START
        content = b"".join([part async for part in response])
        await sync_to_async(response.close)()
        return content

    if is_async:
        content = async_to_sync(read)()
    else:
        response = browser.visit(f"/stream/?type={kind}")
        assert last_active(watch_id) == START
        content = b"".join(response.streaming_content)
        response.close()
    assert content == b"<p>first</p><p>last</p>"
    assert last_active() == START + 500
