"""Responses report which page is shown, and keep the pages and data of a user from caches and the next user."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.http import HttpResponse
from django.test import RequestFactory

from idlewatch.core.activity import Reason
from idlewatch.http.request_state import attach_state
from idlewatch.http.response_hooks import set_headers
from idlewatch.http.session_state import SessionState
from idlewatch.models import WatchedSession
from idlewatch.monitor import record_keys, stores
from idlewatch.monitor import service as monitor
from idlewatch.process import Process
from tests.conftest import START, Time
from tests.support import http_site
from tests.support.http import FETCH, NAVIGATION, PASSWORD, Browser, close_last_tab, last_active, record


@pytest.fixture
def page(signed_in: Browser) -> Browser:
    signed_in.visit("/page/")
    return signed_in


def ends_closed(browser: Browser, clock: Time) -> bool:
    """Close the last tab, and return whether that ends the session."""
    close_last_tab(clock)
    clock.pass_(300)
    return browser.poll("/api/").headers.get("Idlewatch-Ended") == "closed"


class TestClosedBrowser:
    @pytest.mark.rule("R39")
    def test_a_closed_browser_ends_the_session(self, page: Browser, clock: Time):
        assert ends_closed(page, clock)
        assert record().reason == "closed"

    @pytest.mark.parametrize("path", ["/bare/", "/nowhere/", "/printed/", "/broken/"])
    def test_a_page_without_the_client_may_still_be_open_until_one_with_it_is_shown(
        self, page: Browser, clock: Time, path: str
    ):
        page.visit(path)
        assert not ends_closed(page, clock)
        page.visit("/page/")
        assert ends_closed(page, clock)

    def test_a_page_that_lost_the_client_on_its_way_is_no_page_with_it_and_is_logged_once(
        self, page: Browser, clock: Time, caplog: pytest.LogCaptureFixture
    ):
        for path in ("/stripped/", "/stripped/", "/printed/", "/broken/"):
            page.visit(path)
        (line,) = [record.getMessage() for record in caplog.records if "lacks the client" in record.getMessage()]
        assert line.startswith("stripped ")
        assert not ends_closed(page, clock)

    @pytest.mark.parametrize("path", ["/redirect/", "/empty/", "/download/"])
    def test_an_answer_that_shows_nothing_changes_nothing(self, page: Browser, clock: Time, path: str):
        page.visit(path)
        assert ends_closed(page, clock)

    @pytest.mark.parametrize(("origin", "awaited"), [("same-origin", True), ("cross-site", False), (None, False)])
    def test_a_page_in_which_a_script_signs_in_is_expected_to_be_loaded_again_and_connect(
        self, signed_in: Browser, ann: User, clock: Time, origin: str | None, awaited: bool
    ):
        signed_in.submit("/logout/")
        headers = FETCH | ({} if origin is None else {"Sec-Fetch-Site": origin})
        signed_in.ask("post", "/api-login/", {"username": "ann", "password": PASSWORD}, headers)
        watched = stores.current().sessions.get(WatchedSession.objects.live().get().pk)
        assert watched.activity.awaited_since == (clock.now if awaited else None)

    @pytest.mark.rule("R40")
    @pytest.mark.parametrize(
        ("path", "headers", "disarms"),
        [("/page/", NAVIGATION, True), ("/passive/", NAVIGATION, False), ("/api/", FETCH, False)],
        ids=["counted", "passive", "background"],
    )
    def test_a_counted_request_alone_disarms(
        self, page: Browser, clock: Time, path: str, headers: dict[str, str], disarms: bool
    ):
        close_last_tab(clock)
        clock.pass_(299)
        page.ask("get", path, headers=headers)
        clock.pass_(1)
        assert page.poll("/api/").status_code == (200 if disarms else 401)

    @pytest.mark.rule("R5")
    @pytest.mark.parametrize("headers", [FETCH, NAVIGATION | {"Sec-Fetch-Dest": "iframe"}], ids=["fetched", "framed"])
    def test_what_does_not_fill_the_tab_changes_nothing(self, page: Browser, clock: Time, headers: dict[str, str]):
        page.ask("get", "/bare/", headers=headers)
        assert ends_closed(page, clock)


@pytest.mark.rule("R19")
class TestCaches:
    def test_an_authenticated_page_is_not_stored(self, page: Browser):
        assert page.visit("/page/").headers["Cache-Control"] == "no-store, private"

    def test_nor_one_whose_session_ended_meanwhile(self, page: Browser, clock: Time):
        http_site.during.append(lambda _: monitor.end(record().pk, Reason.REVOKED, clock.now))
        response = page.visit("/note/")
        assert response.content == b"noted"
        assert response.headers["Cache-Control"] == "no-store, private"

    def test_unless_the_view_says_otherwise(self, page: Browser):
        assert page.visit("/cached/").headers["Cache-Control"] == "max-age=60"

    def test_what_is_no_page_and_a_public_page_are_left_alone(self, page: Browser):
        assert "Cache-Control" not in page.poll("/open/").headers
        assert "Cache-Control" not in Browser().visit("/bare/").headers

    def test_the_page_that_signs_in_and_shows_something_is_not_stored(self, browser: Browser, ann: User):
        response = browser.ask("post", "/keep-me/", {"username": "ann", "password": PASSWORD}, NAVIGATION)
        assert response.headers["Cache-Control"] == "no-store"


def clears(response: Any) -> bool:
    header = response.headers.get("Clear-Site-Data")
    assert header in {None, '"storage"'}
    return header is not None


def test_site_data_is_not_cleared_by_default(late: Browser):
    assert not clears(late.visit("/closed/"))


class TestClearSiteData:
    @pytest.fixture(autouse=True)
    def switched_on(self, settings: Any) -> None:
        settings.IDLEWATCH = {"CLEAR_SITE_DATA": True}

    @pytest.mark.rule("R20")
    def test_an_end_clears_what_pages_have_stored(self, browser: Browser, ann: User, clock: Time):
        assert not clears(browser.sign_in(ann))
        assert not clears(browser.visit("/closed/"))
        assert clears(browser.submit("/idlewatch/logout/"))
        browser.sign_in(ann)
        clock.pass_(1000)
        assert clears(browser.visit("/closed/"))
        assert not clears(browser.poll("/idlewatch/state/"))

    def test_so_does_one_of_a_session_whose_key_was_about_to_be_replaced(self, signed_in: Browser):
        record_keys.expect_rotation(record().pk)
        assert clears(signed_in.submit("/idlewatch/logout/"))

    @pytest.mark.rule("R20")
    @pytest.mark.parametrize("after", [10, 1000], ids=["live", "ended"])
    def test_another_s_sign_in_over_it_does_and_the_same_user_s_does_not(
        self, signed_in: Browser, ann: User, bob: User, clock: Time, after: float
    ):
        clock.pass_(after)
        assert not clears(signed_in.sign_in(ann))
        clock.pass_(after)
        assert clears(signed_in.sign_in(bob))
        assert not clears(signed_in.visit("/closed/"))

    @pytest.mark.parametrize("after", [0, 10, 1000], ids=["new", "live", "ended"])
    def test_a_late_answer_does_not_clear_what_the_next_user_has_stored(
        self, signed_in: Browser, bob: User, clock: Time, after: float
    ):
        late = Browser()
        late.key = str(signed_in.key)
        clock.pass_(after)
        signed_in.sign_in(bob)
        response = late.poll("/idlewatch/state/")
        assert response.status_code == 401
        assert not clears(response)
        assert clears(signed_in.submit("/idlewatch/logout/"))

    def test_nor_does_one_that_was_on_its_way_meanwhile(self, signed_in: Browser, bob: User):
        other = Browser()
        other.key = str(signed_in.key)
        http_site.during.append(lambda _: other.sign_in(bob))
        assert not clears(signed_in.visit("/note/"))

    @pytest.mark.parametrize(("cookie", "cleared"), [({"sessionid": "key"}, True), ({}, False)])
    def test_without_the_records_the_cookie_decides(
        self, monkeypatch: pytest.MonkeyPatch, cookie: dict[str, str], cleared: bool
    ):
        monkeypatch.setattr(record_keys, "was_succeeded", mock.Mock(side_effect=OperationalError("no database")))
        request, response = RequestFactory().get("/"), HttpResponse()
        request.COOKIES.update(cookie)
        state = attach_state(request, START)
        state.change.state = SessionState.lost(Reason.IDLE, START)
        set_headers(request, response, state)
        assert clears(response) is cleared


def test_a_stream_counts_in_the_process_that_served_it(browser: Browser, ann: User, clock: Time):
    """A server closes a response after the application has returned."""
    other = Process("other", clock.clock)
    with other.entered():
        browser.sign_in(ann)
        response = browser.visit("/stream/")
    clock.pass_(500)
    list(response.streaming_content)
    response.close()
    with other.entered():
        assert last_active() == START + 500
    other.close()
