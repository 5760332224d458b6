"""What an answer says of the page that is shown, and how authenticated pages are kept out of caches."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.http import HttpResponse
from django.test import RequestFactory

from idlewatch.core.activity import Reason
from idlewatch.core.events import TabClosed, TabOpened
from idlewatch.http.request_state import attach_state
from idlewatch.http.response_hooks import set_headers
from idlewatch.http.session_state import SessionState
from idlewatch.monitor import records
from idlewatch.monitor import service as monitor
from idlewatch.process import Process
from tests.conftest import START, Time
from tests.support import http_site
from tests.support.http import FETCH, NAVIGATION, PASSWORD, Browser, last_active, record


@pytest.fixture
def page(browser: Browser, ann: User) -> Browser:
    browser.sign_in(ann)
    browser.visit("/page/")
    return browser


def close_last_tab(clock: Time) -> None:
    watch_id = record().pk
    monitor.look(watch_id, clock.now, TabOpened("p", 5))
    monitor.look(watch_id, clock.now, TabClosed("p", closed=True))


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

    def test_a_page_without_the_client_may_still_be_open(self, page: Browser, clock: Time):
        page.visit("/bare/")
        assert not ends_closed(page, clock)

    def test_a_page_with_the_client_tells_again(self, page: Browser, clock: Time):
        page.visit("/bare/")
        page.visit("/page/")
        assert ends_closed(page, clock)

    @pytest.mark.parametrize("path", ["/redirect/", "/empty/", "/download/"])
    def test_an_answer_that_shows_nothing_changes_nothing(self, page: Browser, clock: Time, path: str):
        page.visit(path)
        assert ends_closed(page, clock)

    def test_a_missing_page_shows_something(self, page: Browser, clock: Time):
        page.visit("/nowhere/")
        assert not ends_closed(page, clock)

    @pytest.mark.rule("R40")
    def test_a_counted_request_disarms(self, page: Browser, clock: Time):
        close_last_tab(clock)
        clock.pass_(299)
        page.visit("/page/")
        clock.pass_(300)
        assert page.poll("/api/").status_code == 200

    @pytest.mark.rule("R5")
    @pytest.mark.parametrize("headers", [FETCH, NAVIGATION | {"Sec-Fetch-Dest": "iframe"}], ids=["fetched", "framed"])
    def test_what_does_not_fill_the_tab_changes_nothing(self, page: Browser, clock: Time, headers: dict[str, str]):
        page.ask("get", "/bare/", headers=headers)
        assert ends_closed(page, clock)


@pytest.mark.rule("R19")
class TestCaches:
    def test_an_authenticated_page_is_not_stored(self, page: Browser):
        assert page.visit("/page/").headers["Cache-Control"] == "no-store"

    def test_nor_one_whose_session_ended_meanwhile(self, page: Browser, clock: Time):
        http_site.during.append(lambda _: monitor.end(record().pk, Reason.REVOKED, clock.now))
        response = page.visit("/note/")
        assert response.content == b"noted"
        assert response.headers["Cache-Control"] == "no-store"

    def test_unless_the_view_says_otherwise(self, page: Browser):
        assert page.visit("/cached/").headers["Cache-Control"] == "max-age=60"

    def test_what_is_no_page_is_left_alone(self, page: Browser):
        assert "Cache-Control" not in page.poll("/open/").headers

    def test_a_public_page_is_left_alone(self, browser: Browser):
        assert "Cache-Control" not in browser.visit("/bare/").headers

    def test_the_page_that_signs_in_and_shows_something_is_not_stored(self, browser: Browser, ann: User):
        response = browser.ask("post", "/keep-me/", {"username": "ann", "password": PASSWORD}, NAVIGATION)
        assert response.headers["Cache-Control"] == "no-store"


class TestClearSiteData:
    def test_it_is_off(self, browser: Browser, ann: User, clock: Time):
        browser.sign_in(ann)
        clock.pass_(1000)
        assert "Clear-Site-Data" not in browser.visit("/closed/").headers

    @pytest.mark.rule("R20")
    def test_an_end_clears_what_pages_have_stored(self, browser: Browser, ann: User, clock: Time, settings: Any):
        settings.IDLEWATCH = {"CLEAR_SITE_DATA": True}
        response = browser.sign_in(ann)
        assert "Clear-Site-Data" not in response.headers
        assert "Clear-Site-Data" not in browser.visit("/closed/").headers
        assert browser.submit("/idlewatch/logout/").headers["Clear-Site-Data"] == '"storage"'
        browser.sign_in(ann)
        clock.pass_(1000)
        assert browser.visit("/closed/").headers["Clear-Site-Data"] == '"storage"'
        assert browser.poll("/idlewatch/state/").status_code == 401

    def test_so_does_one_of_a_session_whose_key_was_about_to_be_replaced(
        self, browser: Browser, ann: User, settings: Any
    ):
        settings.IDLEWATCH = {"CLEAR_SITE_DATA": True}
        browser.sign_in(ann)
        records.expect_rotation(record().pk)
        assert browser.submit("/idlewatch/logout/").headers["Clear-Site-Data"] == '"storage"'

    @pytest.mark.rule("R20")
    @pytest.mark.parametrize("after", [10, 1000], ids=["live", "ended"])
    def test_so_does_another_s_sign_in_over_it(
        self, browser: Browser, ann: User, bob: User, clock: Time, settings: Any, after: float
    ):
        settings.IDLEWATCH = {"CLEAR_SITE_DATA": True}
        browser.sign_in(ann)
        clock.pass_(after)
        assert browser.sign_in(bob).headers["Clear-Site-Data"] == '"storage"'
        assert "Clear-Site-Data" not in browser.visit("/closed/").headers

    @pytest.mark.parametrize("after", [10, 1000], ids=["live", "ended"])
    def test_the_same_user_s_does_not(self, browser: Browser, ann: User, clock: Time, settings: Any, after: float):
        settings.IDLEWATCH = {"CLEAR_SITE_DATA": True}
        browser.sign_in(ann)
        clock.pass_(after)
        assert "Clear-Site-Data" not in browser.sign_in(ann).headers

    @pytest.mark.parametrize("after", [0, 10, 1000], ids=["new", "live", "ended"])
    def test_a_late_answer_does_not_clear_what_the_next_user_has_stored(
        self, browser: Browser, ann: User, bob: User, clock: Time, settings: Any, after: float
    ):
        settings.IDLEWATCH = {"CLEAR_SITE_DATA": True}
        browser.sign_in(ann)
        key = browser.key
        assert key
        clock.pass_(after)
        browser.sign_in(bob)
        own = browser.key
        assert own
        browser.key = key
        late = browser.poll("/idlewatch/state/")
        assert late.status_code == 401
        assert "Clear-Site-Data" not in late.headers
        browser.key = own
        assert browser.submit("/idlewatch/logout/").headers["Clear-Site-Data"] == '"storage"'

    def test_nor_does_one_that_was_on_its_way_meanwhile(self, browser: Browser, ann: User, bob: User, settings: Any):
        settings.IDLEWATCH = {"CLEAR_SITE_DATA": True}
        browser.sign_in(ann)
        key = browser.key
        assert key

        def sign_in(_: object) -> None:
            http_site.during.clear()
            other = Browser()
            other.key = key
            other.sign_in(bob)

        http_site.during.append(sign_in)
        assert "Clear-Site-Data" not in browser.visit("/note/").headers

    @pytest.mark.parametrize(("cookie", "cleared"), [({"sessionid": "key"}, True), ({}, False)])
    def test_without_the_records_the_cookie_decides(
        self, settings: Any, monkeypatch: pytest.MonkeyPatch, cookie: dict[str, str], cleared: bool
    ):
        def fail(_: str) -> bool:
            raise OperationalError("no database")

        monkeypatch.setattr(records, "was_succeeded", fail)
        settings.IDLEWATCH = {"CLEAR_SITE_DATA": True}
        request, response = RequestFactory().get("/"), HttpResponse()
        request.COOKIES.update(cookie)
        attach_state(request, START).change.state = SessionState.lost(Reason.IDLE, START)
        set_headers(request, response)
        assert ("Clear-Site-Data" in response.headers) is cleared


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
