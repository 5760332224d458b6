"""The URLs that a page is given, and those that lead to the login page and back."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth import login
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.test import AsyncRequestFactory, RequestFactory
from django.test.utils import override_script_prefix
from django.utils.translation import override

from idlewatch.http.admin_pages import _is_of_admin as is_of_admin
from idlewatch.http.classification import needs_session
from idlewatch.http.responses import reason_cookie
from idlewatch.http.site_urls import is_cross_origin, login_url_with_next
from tests.conftest import Time
from tests.support import http_site
from tests.support.http import FETCH, HTMX, NAVIGATION, Browser, last_active, phase

IDLE = "You have been signed out because of inactivity."


def config_of(page: Any) -> dict[str, Any]:
    """Return what the client in a page is given."""
    found = re.search(r'data-config="([^"]*)"', page.content.decode())
    assert found is not None
    config: dict[str, Any] = json.loads(html.unescape(found[1]))
    return config


class TestBelowAPath:
    @pytest.fixture(autouse=True)
    def script_name(self, settings: Any) -> Any:
        settings.FORCE_SCRIPT_NAME = "/app"
        settings.LOGIN_URL = "login"
        with override_script_prefix("/app/"):
            yield

    # A WSGI server gets no more than the rest of the path; under ASGI a proxy cuts the script name off, or keeps it.
    @pytest.mark.parametrize(("is_async", "prefix"), [(False, ""), (True, ""), (True, "/app")])
    def test_every_address_lies_below_it(self, ann: User, clock: Time, is_async: bool, prefix: str):
        browser = Browser(is_async=is_async)
        browser.client.force_login(ann)
        config = config_of(browser.visit(f"{prefix}/page/"))
        assert (config["socket"], config["state"]) == ("/app/ws/idlewatch/tab/", "/app/idlewatch/state/")
        assert (config["login"], config["signIn"]) == ("/app/login/", "/app/login/?next=/app/idlewatch/signed-in/")
        active = last_active()
        clock.pass_(10)
        assert browser.visit(f"{prefix}/idlewatch/state/").status_code == 200
        assert last_active() == active, "the client's own request is none of the user's"
        clock.pass_(900)
        assert phase(clock) == "ended"
        ended = browser.ask("post", f"{prefix}/closed/", headers=FETCH)
        assert (ended.status_code, ended.json()["login_url"]) == (401, "/app/login/")

    @pytest.mark.parametrize(("is_async", "prefix"), [(False, ""), (True, ""), (True, "/app")])
    def test_the_way_to_the_login_leads_back(self, ann: User, clock: Time, is_async: bool, prefix: str):
        browser = Browser(is_async=is_async)
        browser.client.force_login(ann)
        key = str(browser.key)
        clock.pass_(900)
        assert browser.visit(f"{prefix}/closed/?a=1").url == "/app/login/?next=/app/closed/%3Fa%3D1"
        browser.key = key
        assert browser.submit(f"{prefix}/closed/").url == "/app/login/?next=/app/", "the form's page is not known"

    def test_pages_of_the_admin_and_static_files_are_known_though_a_proxy_cuts_it_off(self, settings: Any):
        settings.STATIC_URL = "static/"
        request = AsyncRequestFactory().get
        assert not needs_session(request("/static/client.js"))
        assert needs_session(request("/closed/"))
        pages = [request("/admin/a-report-of-the-projects-own/"), request("/closed/")]
        assert [is_of_admin(page) for page in pages] == [True, False]


class TestOnOneHost:
    def test_another_site_has_another_cookie_for_the_reason(self, late: Browser, settings: Any):
        settings.SESSION_COOKIE_PATH = "/app/"
        response = late.visit("/closed/")
        assert response.cookies["sessionid_ended"]["path"] == "/app/"
        settings.SESSION_COOKIE_NAME = "other"
        assert reason_cookie() == "other_ended"


@pytest.mark.parametrize(
    ("url", "elsewhere"),
    [
        ("/login/", False),
        ("http://testserver/login/", False),
        ("//testserver/login/", False),
        ("https://testserver/login/", True),
        ("http://testserver:8000/login/", True),
        ("//login.example/", True),
    ],
)
def test_another_origin_is_elsewhere(url: str, elsewhere: bool):
    assert is_cross_origin(RequestFactory().get("/"), url) is elsewhere


class TestLoginElsewhere:
    @pytest.fixture(autouse=True)
    def elsewhere(self, settings: Any) -> None:
        settings.LOGIN_URL = "https://login.example/sso/?site=1"

    BACK = "https://login.example/sso/?site=1&next=http%3A//testserver"

    def test_it_leads_back_to_this_host(self, late: Browser):
        assert late.visit("/closed/?a=1").url == f"{self.BACK}/closed/%3Fa%3D1"

    def test_so_does_what_htmx_and_the_page_are_given(self, signed_in: Browser, clock: Time):
        assert config_of(signed_in.visit("/page/"))["signIn"] == f"{self.BACK}/idlewatch/signed-in/"
        clock.pass_(900)
        current = HTMX | {"HX-Current-URL": "http://testserver/bare/"}
        response = signed_in.ask("get", "/closed/", headers=current)
        assert response.headers["HX-Redirect"] == f"{self.BACK}/bare/"

    def test_no_path_makes_it_lead_to_a_third_host(self):
        request = RequestFactory().get("/closed/")
        assert login_url_with_next(request, "//evil.example/") == f"{self.BACK}//evil.example/"

    def test_a_path_that_is_the_logins_there_is_none_here(self, late: Browser, settings: Any):
        settings.LOGIN_URL = "https://login.example/closed/"
        assert late.submit("/closed/").url.startswith("https://login.example/closed/")

    @pytest.fixture
    def comes_back(self, late: Browser) -> Callable[[User], Any]:
        """Sign a user in by a redirect of the central login, after Ann's end; return the next page."""

        def come_back(user: User, **headers: str) -> Any:
            def sign_in(request: HttpRequest) -> None:
                login(request, user, "django.contrib.auth.backends.ModelBackend")

            late.visit("/closed/")
            http_site.during.append(sign_in)
            late.ask("post" if headers else "get", "/meanwhile/", headers=NAVIGATION | headers)
            return late.visit("/open/").json()

        return come_back

    @pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "cross-site"}], ids=["redirect", "form"])
    def test_the_reason_is_told_after_it_since_no_page_could_before(
        self, late: Browser, ann: User, comes_back: Callable[..., Any], headers: dict[str, str]
    ):
        page = comes_back(ann, **headers)
        assert (page["user"], page["notice"]) == ("ann", IDLE)
        assert late.visit("/open/").json()["notice"] is None

    def test_it_is_not_told_to_another_user(self, late: Browser, bob: User, comes_back: Callable[..., Any]):
        page = comes_back(bob)
        assert (page["user"], page["notice"]) == ("bob", None)
        assert not late.client.cookies[reason_cookie()].value


class TestInThePagesLanguage:
    @pytest.fixture(autouse=True)
    def multilingual(self, settings: Any) -> Iterator[None]:
        settings.ROOT_URLCONF = "tests.support.multilingual_site"
        settings.LOGIN_URL = "login"
        locale = "django.middleware.locale.LocaleMiddleware"
        settings.MIDDLEWARE = [*settings.MIDDLEWARE[:2], locale, *settings.MIDDLEWARE[2:]]
        with override(None):
            yield

    def test_the_client_tells_it_where_no_path_does(self, browser: Browser, ann: User, clock: Time):
        browser.client.force_login(ann)
        config = config_of(browser.visit("/de/page/"))
        assert config["socket"] == "/ws/idlewatch/tab/?idlewatch-language=de"
        assert config["login"] == "/de/login/"
        clock.pass_(900)
        for url in (config["state"], f"{config['state']}&for={config['token']}"):
            answer = browser.ask("get", url, headers=FETCH | {"Accept-Language": "fr"})
            assert answer.json()["login_url"] == "/de/login/"
        assert browser.visit(f"{config['page']}?idlewatch-language=xx", **{"Accept-Language": "fr"}).json()[
            "login_url"
        ] == ("/fr/login/")

    def test_a_navigation_leads_to_its_own(self, browser: Browser, ann: User, clock: Time):
        browser.client.force_login(ann)
        clock.pass_(900)
        assert browser.visit("/de/closed/").url == "/de/login/?next=/de/closed/"
