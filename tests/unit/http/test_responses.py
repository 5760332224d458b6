"""The response to a request whose session has ended (SPEC, HTTP)."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from django import urls
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import LoginView
from django.contrib.sessions.models import Session
from django.http import HttpRequest, HttpResponse

from idlewatch.core.activity import Reason
from idlewatch.monitor import service as monitor
from idlewatch.types import Ended
from tests.conftest import Time
from tests.support import http_site
from tests.support.http import FETCH, HTMX, NAVIGATION, PASSWORD, Browser, record, records, user_of


def teapot(request: HttpRequest, ended: Ended) -> HttpResponse | None:
    """Return a project's own response, unless the query asks for the usual one."""
    if "plain" in request.GET:
        return None
    return HttpResponse(f"{ended.reason}|{ended.notice}|{ended.login_url}|{ended.frame.phase}", status=418)


class TestPages:
    @pytest.mark.rule("R1", "R7")
    @pytest.mark.parametrize("path", ["/closed/", "/api/", "/forbidden/", "/to-login/"])
    def test_a_page_that_needs_the_user_leads_to_the_login(self, late: Browser, path: str):
        response = late.visit(f"{path}?a=1&b=%C3%BC")
        assert response.status_code == 302
        assert response.url == f"/login/?next={path}%3Fa%3D1%26b%3D%25C3%25BC"
        assert response.headers["Cache-Control"] == "no-store, private"

    def test_a_head_request_goes_on_too(self, late: Browser):
        assert late.ask("head", "/open/", headers=NAVIGATION).status_code == 200

    @pytest.mark.rule("R9")
    def test_the_session_and_its_cookie_go(self, late: Browser):
        late.visit("/open/")
        assert late.key is None
        assert not Session.objects.exists()
        assert records() == [("ann", "idle")]

    def test_a_page_that_is_not_there_stays_a_404(self, late: Browser):
        assert late.visit("/nowhere/").status_code == 404

    def test_with_every_view_behind_the_login(self, late: Browser, settings: Any):
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
        browser = Browser()
        browser.key = str(late.key)
        assert browser.visit("/bare/").url == "/login/?next=/bare/"
        assert browser.visit("/open/").json()["notice"]

    @pytest.mark.parametrize("login", ["/login/", "login", "http://testserver/login/"])
    def test_however_the_login_is_named(self, late: Browser, settings: Any, login: str):
        settings.LOGIN_URL = login
        assert late.visit("/closed/").url.endswith("/login/?next=/closed/")


class TestScripts:
    @pytest.mark.parametrize("path", ["/closed/", "/api/", "/forbidden/"])
    def test_a_script_gets_a_401_that_it_can_read(self, late: Browser, path: str):
        response = late.poll(path)
        assert response.status_code == 401
        assert response.headers["Idlewatch-Ended"] == "idle"
        assert response.headers["Content-Type"] == "application/json"
        assert response.headers["Cache-Control"] == "no-store, private"
        assert "HX-Redirect" not in response.headers
        frame = response.json()
        assert (frame["type"], frame["phase"], frame["reason"]) == ("state", "ended", "idle")
        assert (frame["remaining"], frame["login_url"]) == (0.0, "/login/")
        assert frame["version"] > 1_900_000_000_000

    def test_htmx_is_led_to_the_login_and_back_to_its_page(self, late: Browser):
        response = late.ask("get", "/closed/", headers=HTMX | {"HX-Current-URL": "http://testserver/bare/?page=2#top"})
        assert response.status_code == 401
        assert response.headers["HX-Redirect"] == "/login/?next=/bare/%3Fpage%3D2"

    def test_a_prefetch_is_no_navigation(self, late: Browser):
        response = late.ask("get", "/closed/", headers=NAVIGATION | {"Sec-Purpose": "prefetch"})
        assert response.status_code == 401


class TestOtherMethods:
    @pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
    def test_reach_no_view(self, late: Browser, method: str):
        http_site.during.append(lambda _: pytest.fail("a view was reached"))
        key = late.key
        assert late.ask(method, "/meanwhile/", headers=FETCH).status_code == 401
        late.key = str(key)
        response = late.ask(method, "/meanwhile/", headers=NAVIGATION | {"Referer": "http://testserver/bare/?page=2"})
        assert (response.status_code, response.url) == (302, "/login/?next=/bare/%3Fpage%3D2")

    def test_a_view_that_needs_no_login_goes_on_and_answers_in_its_own_way(self, late: Browser):
        response = late.ask("post", "/api-login/", {"username": "ann", "password": "wrong"}, FETCH)
        assert (response.status_code, response.json()) == (401, {"error": "credentials"})
        assert late.visit("/open/").json()["notice"], "it left the reason for the next page"
        assert late.ask("post", "/api-login/", {"username": "ann", "password": PASSWORD}, FETCH).status_code == 200
        assert late.visit("/closed/").json()["user"] == "ann"

    def test_a_script_signs_in_with_the_cookie_of_the_ended_session_at_a_view_with_such_a_name(self, late: Browser):
        response = late.ask("post", "/credentials/", {}, FETCH, content_type="application/json")
        assert (response.status_code, response.json()) == (200, {})

    def test_a_view_that_needs_no_login_and_refuses_ends_in_the_usual_way(self, late: Browser):
        """Django REST framework marks all its views so, and answers 403 by itself."""
        key = late.key
        response = late.ask("post", "/rest/", headers=FETCH)
        assert (response.status_code, response.headers["Idlewatch-Ended"]) == (401, "idle")
        late.key = str(key)
        assert late.submit("/rest/", Referer="http://testserver/bare/").url == "/login/?next=/bare/"

    def test_the_first_step_of_a_sign_in_is_answered_by_its_view(self, late: Browser):
        response = late.ask("post", "/first-step/", headers=FETCH)
        assert (response.status_code, response.json()) == (401, {"next": "code"})

    def test_a_login_view_that_refuses_the_credentials_answers_in_its_own_way(
        self, late: Browser, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(LoginView, "post", lambda *_: HttpResponse("locked out", status=403))
        response = late.submit("/members/")
        assert (response.status_code, response.content) == (403, b"locked out")

    def test_a_view_that_refuses_a_user_whose_account_is_good_ends_nothing(self, signed_in: Browser, settings: Any):
        """One that goes by tokens alone, say."""

        def by_token(request: HttpRequest) -> HttpResponse:
            request.user = AnonymousUser()
            return HttpResponse("no token", status=401)

        settings.ROOT_URLCONF = (urls.path("by-token/", by_token), *http_site.urlpatterns)
        response = signed_in.poll("/by-token/")
        assert (response.status_code, response.content) == (401, b"no token")
        assert "Idlewatch-Ended" not in response.headers
        assert user_of(signed_in) == "ann"


class TestAdmin:
    """A site whose own sign-in page is not the one of `LOGIN_URL`."""

    def test_a_page_leads_to_its_own_sign_in_page(self, late: Browser):
        key = late.key
        assert late.visit("/admin/auth/user/?q=a").url == "/admin/login/?next=/admin/auth/user/%3Fq%3Da"
        late.key = str(key)
        page = "/admin/auth/user/add/"
        assert late.submit(page, Referer=f"http://testserver{page}").url == f"/admin/login/?next={page}"

    def test_a_script_gets_a_401(self, late: Browser):
        response = late.poll("/admin/auth/user/")
        assert (response.status_code, response.headers["Idlewatch-Ended"]) == (401, "idle")
        assert late.visit("/admin/login/").status_code == 200

    def test_htmx_is_led_back_to_its_page(self, late: Browser):
        headers = HTMX | {"HX-Current-URL": "http://testserver/admin/auth/"}
        response = late.ask("get", "/admin/auth/user/", headers=headers)
        assert response.headers["HX-Redirect"] == "/admin/login/?next=/admin/auth/"

    def test_its_sign_in_page_answers_for_itself(self, late: Browser):
        response = late.submit("/admin/login/", {"username": "ann", "password": "wrong"})
        assert response.status_code == 200


class TestEndedResponse:
    @pytest.fixture(autouse=True)
    def teapots(self, settings: Any) -> None:
        settings.IDLEWATCH = {"ENDED_RESPONSE": f"{__name__}.teapot"}

    def test_a_project_answers_in_its_own_way_or_leaves_it_to_us(self, late: Browser):
        key = late.key
        response = late.visit("/closed/")
        assert response.status_code == 418
        assert response.content.decode() == (
            "idle|You have been signed out because of inactivity.|/login/?next=/closed/|ended"
        )
        assert late.visit("/open/").json()["notice"], "it left the reason for the next page"
        late.key = str(key)
        assert late.visit("/closed/?plain").url == "/login/?next=/closed/%3Fplain"

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_a_project_is_asked_once_a_request(self, late: Browser, monkeypatch: pytest.MonkeyPatch, method: str):
        asked: list[str] = []
        monkeypatch.setattr(sys.modules[__name__], "teapot", lambda request, _: asked.append(request.path))
        late.ask(method, "/closed/", headers=NAVIGATION)
        assert asked == ["/closed/"]


@pytest.mark.parametrize("reason", list(Reason))
def test_each_reason_is_told(signed_in: Browser, clock: Time, reason: Reason):
    monitor.end(record().pk, reason, clock.now)
    response = signed_in.poll("/api/")
    assert response.headers["Idlewatch-Ended"] == response.json()["reason"] == reason
