"""Which views sign users in, and what leads to them (SPEC, HTTP)."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.contrib.auth.views import LoginView
from django.http import (
    HttpResponse,
    HttpResponseNotModified,
    HttpResponsePermanentRedirect,
    HttpResponseRedirect,
)
from django.test import RequestFactory
from django.test.utils import override_script_prefix
from django.urls import path

from idlewatch.http.login_views import is_login_page, login_url_after_end, needs_no_login, turns_away


class MembersLoginView(LoginView):
    """A project's own."""


class _Localized:
    urlpatterns = i18n_patterns(path("members/", MembersLoginView.as_view()))


@pytest.mark.parametrize(
    ("at", "needless", "signs_in"),
    [
        ("/login/?next=/", True, True),
        ("/members/", True, True),
        ("/admin/login/", True, True),
        ("/open/", True, False),
        ("/credentials/", True, False),
        ("/admin/logout/", False, False),
        ("/closed/", False, False),
        ("/nowhere/", False, False),
    ],
)
def test_which_views_need_no_login(at: str, needless: bool, signs_in: bool):
    request = RequestFactory().get(at)
    assert (needs_no_login(request), is_login_page(request)) == (needless, signs_in)


@pytest.mark.parametrize(
    ("response", "refuses"),
    [
        (HttpResponse(status=401), True),
        (HttpResponse(status=403), True),
        (HttpResponseRedirect("/login/?next=/closed/"), True),
        (HttpResponseRedirect("http://testserver/login/"), True),
        (HttpResponsePermanentRedirect("../login/"), True),
        (HttpResponseRedirect("/members/?back=1"), True),
        (HttpResponseRedirect("/admin/login/"), True),
        (HttpResponseRedirect("/start/?next=/closed/%3Fa%3D1"), True),
        (HttpResponseRedirect("https://sso.example/?next=http%3A//testserver/closed/"), True),
        (HttpResponse(), False),
        (HttpResponse(status=404), False),
        (HttpResponseRedirect("/bare/"), False),
        (HttpResponseRedirect("/bare/?next=/open/"), False),
        (HttpResponseRedirect("http://elsewhere.example/login/"), False),
        (HttpResponseRedirect("http://elsewhere.example/admin/login/"), False),
        (HttpResponse(status=302, headers={"Location": "http://["}), False),
        (HttpResponseNotModified(), False),
    ],
    ids=lambda value: f"{value.status_code} {value.headers.get('Location', '')}" if hasattr(value, "headers") else "",
)
def test_what_turns_a_user_away(response: HttpResponse, refuses: bool):
    assert turns_away(RequestFactory().get("/closed/?a=1"), response) is refuses


def test_a_login_page_in_another_language_and_below_a_path_is_found(settings: Any):
    settings.ROOT_URLCONF = _Localized
    request = RequestFactory().get("/closed/")
    assert turns_away(request, HttpResponseRedirect("/de/members/"))
    assert not turns_away(request, HttpResponseRedirect("/de/nowhere/"))


def test_on_a_site_below_a_path_what_lies_beside_it_is_no_login_page_of_it():
    request = RequestFactory().get("/closed/", SCRIPT_NAME="/app")
    with override_script_prefix("/app/"):
        assert turns_away(request, HttpResponseRedirect("/app/members/"))
        assert not turns_away(request, HttpResponseRedirect("/members/"))


def test_a_login_on_another_host_leads_back_to_this_one(settings: Any):
    settings.LOGIN_URL = "https://sso.example/in?app=1"
    address = login_url_after_end(RequestFactory().get("/closed/"), "/page/?a=1")
    assert address == "https://sso.example/in?app=1&next=http%3A//testserver/page/%3Fa%3D1"
