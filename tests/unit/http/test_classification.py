"""The kind of a request (SPEC, Phases): by its headers, its URL and the mark of its view."""

from __future__ import annotations

from typing import Any

import pytest
from django import urls
from django.conf.urls.i18n import i18n_patterns
from django.http import HttpRequest
from django.test import RequestFactory
from django.urls.resolvers import RoutePattern
from django.utils.translation import gettext_lazy, override

import idlewatch
from idlewatch.http import classification
from idlewatch.http.classification import (
    fills_a_frame,
    is_client_endpoint,
    is_navigation,
    is_seen,
    is_sign_out,
    page_path_of,
)
from idlewatch.views import client
from tests.support import http_site
from tests.support.http import FETCH, HTMX, NAVIGATION

PLAIN = {"Accept": "text/html,application/xhtml+xml"}

HANDSHAKE = {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
"""As a proxy passes it on to a server that has no sockets: without `Upgrade`, and plain HTTP has no fetch metadata."""

NAVIGATIONS = [
    NAVIGATION,
    {"Sec-Fetch-Mode": "navigate"},
    {"Sec-Fetch-Mode": "navigate", "Accept": "*/*"},
    {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    PLAIN,
    {"Accept": "TEXT/HTML"},
    {},
    {"Idlewatch-Passive": "0"},
]
BACKGROUND = [
    FETCH,
    HTMX,
    {"Sec-Fetch-Mode": "cors", "Accept": "text/html"},
    {"Sec-Fetch-Mode": "same-origin"},
    {"Sec-Fetch-Mode": "no-cors", "Accept": "image/*"},
    {"Sec-Fetch-Mode": "websocket"},
    HANDSHAKE,
    {"Connection": "Upgrade", "Upgrade": "WebSocket"},
    {"Accept": "*/*"},
    {"Accept": "application/json"},
    {"Accept": ""},
    NAVIGATION | {"HX-Request": "true"},
    NAVIGATION | {"HX-Request": "true", "HX-Boosted": "true"},
    NAVIGATION | {"X-Requested-With": "XMLHttpRequest"},
    NAVIGATION | {"Sec-Purpose": "prefetch"},
    NAVIGATION | {"Sec-Purpose": "prefetch;prerender"},
    PLAIN | {"HX-Request": "true"},
    PLAIN | {"X-Requested-With": "XMLHttpRequest"},
    PLAIN | {"Sec-Purpose": "prefetch"},
    {"X-Requested-With": "XMLHttpRequest"},
]


def request(path: str = "/closed/", headers: dict[str, str] | None = None, method: str = "GET") -> HttpRequest:
    return RequestFactory().generic(method, path, headers=headers or {})


def counts(sent: HttpRequest) -> bool:
    return classification.counts(sent, is_navigation(sent))


@pytest.mark.parametrize("headers", NAVIGATIONS)
def test_a_navigation_counts(headers: dict[str, str]):
    assert is_navigation(request(headers=headers))
    assert counts(request(headers=headers))
    assert counts(request(headers=headers, method="POST"))


@pytest.mark.rule("R5")
@pytest.mark.parametrize("headers", BACKGROUND)
def test_a_background_request_does_not_count(headers: dict[str, str]):
    assert not is_navigation(request(headers=headers))
    assert not counts(request(headers=headers))
    assert not counts(request(headers=headers, method="POST"))


@pytest.mark.rule("R5")
def test_a_request_that_says_it_is_passive_does_not_count():
    passive = {"Idlewatch-Passive": "1"}
    assert not counts(request(headers=NAVIGATION | passive))
    assert not counts(request("/active/", NAVIGATION | passive))


@pytest.mark.rule("R5")
@pytest.mark.parametrize(
    "path",
    ["/passive/", "/apassive/", "/passive-within/", "/class-passive/", "/itself-passive/", "/aclass-passive/"],
)
def test_a_passive_view_never_counts(path: str):
    assert not counts(request(path, NAVIGATION))


@pytest.mark.parametrize("path", ["/active/", "/aactive/", "/class-active/"])
def test_an_active_view_counts_background_requests_too(path: str):
    assert counts(request(path, FETCH))
    assert counts(request(path, HTMX))
    assert not counts(request(path, HANDSHAKE))


@pytest.mark.rule("R5")
def test_passive_paths_are_regular_expressions(settings: Any):
    settings.IDLEWATCH = {"PASSIVE_PATHS": [r"^/ba", r"pty/$"]}
    assert not counts(request("/bare/", NAVIGATION))
    assert not counts(request("/empty/", NAVIGATION))
    assert counts(request("/closed/", NAVIGATION))


@pytest.mark.rule("R5")
@pytest.mark.parametrize(
    ("name", "passive"), [("own:named", {"/own/named/"}), ("named", {"/named/"}), ("other", set())]
)
def test_passive_url_names_have_their_namespace(settings: Any, name: str, passive: set[str]):
    settings.IDLEWATCH = {"PASSIVE_URL_NAMES": [name]}
    for path in ("/own/named/", "/named/"):
        assert counts(request(path, NAVIGATION)) is (path not in passive)


def test_background_requests_count_if_the_setting_says_so(settings: Any):
    settings.IDLEWATCH = {"COUNT_BACKGROUND_REQUESTS": True}
    assert counts(request(headers=FETCH))
    assert counts(request(headers=HTMX))
    assert not counts(request("/passive/", FETCH))
    assert not counts(request(headers=FETCH | {"Idlewatch-Passive": "1"}))
    assert not counts(request(headers=FETCH | {"Sec-Purpose": "prefetch"}))
    assert not counts(request("/idlewatch/state/", FETCH))
    assert not counts(request(headers=HANDSHAKE))


def test_on_a_site_without_marks_the_headers_alone_decide_and_no_url_is_resolved(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(classification, "marked", set())
    monkeypatch.delattr(classification, "match_of")
    for path in ("/closed/", "/nowhere/"):
        assert counts(request(path, NAVIGATION))
        assert not counts(request(path, FETCH))


def test_no_url_is_resolved_that_can_lead_to_no_view_with_a_mark(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(classification, "match_of")
    for path in ("/closed/", "/nowhere/"):
        assert counts(request(path, NAVIGATION))
    with pytest.raises(NameError):
        counts(request("/passive/", NAVIGATION))


def test_a_mark_is_found_behind_a_resolver_of_another_package(settings: Any):
    """Those of django CMS have other patterns for each language."""

    class Resolver(urls.URLResolver):
        pass

    route = RoutePattern("pages/")
    settings.ROOT_URLCONF = (
        Resolver(route, [urls.path("poll/", idlewatch.passive(http_site.answer()))]),
        *http_site.urlpatterns,
    )
    assert not counts(request("/pages/poll/", NAVIGATION))
    assert counts(request("/pages/", NAVIGATION))
    assert counts(request("/closed/", NAVIGATION))


def test_a_mark_is_found_below_what_is_no_fixed_text(settings: Any):
    """A translated path, a parameter, a regular expression."""
    poll = idlewatch.passive(http_site.answer())
    page = gettext_lazy("January")
    settings.ROOT_URLCONF = (
        urls.path(page, poll),
        urls.path("<int:number>/", urls.include([urls.path("poll/", poll)])),
        urls.re_path(r"^(a|b)/", poll),
        *http_site.urlpatterns,
    )
    for path in ("/January", "/7/poll/", "/b/"):
        assert not counts(request(path, NAVIGATION))
    with override("de"):
        assert not counts(request("/Januar", NAVIGATION))
    assert counts(request("/Januar", NAVIGATION))


@pytest.mark.parametrize(
    ("path", "signs_out"),
    [
        ("/logout/", True),
        ("/admin/logout/", True),
        ("/idlewatch/logout/", True),
        ("/login/", False),
        ("/logout", False),
    ],
)
def test_which_views_sign_out(path: str, signs_out: bool):
    assert is_sign_out(request(path, method="POST")) is signs_out


class TestClientEndpoints:
    @pytest.mark.rule("R5")
    @pytest.mark.parametrize("name", ["state", "message", "page", "drafts"])
    def test_they_never_count(self, name: str):
        assert is_client_endpoint(request(f"/idlewatch/{name}/"))
        assert not counts(request(f"/idlewatch/{name}/", NAVIGATION))

    @pytest.mark.parametrize("path", ["/idlewatch/sessions/", "/idlewatch/logout/", "/closed/", "/nowhere/"])
    def test_other_views_are_none(self, path: str):
        assert not is_client_endpoint(request(path))

    def test_those_that_a_site_has_do_not_depend_on_those_of_drafts(self):
        without_drafts = request("/state/")
        endpoints = [
            urls.path("state/", client.state, name="state"),
            urls.path("message/", client.message, name="message"),
        ]
        without_drafts.urlconf = (urls.path("", urls.include((endpoints, "idlewatch"))),)  # type: ignore[assignment]
        assert is_client_endpoint(without_drafts)
        without_drafts.path = "/drafts/"
        assert not is_client_endpoint(without_drafts)

    def test_they_are_found_in_every_language(self, settings: Any):
        settings.ROOT_URLCONF = tuple(i18n_patterns(urls.path("", urls.include("tests.support.http_site"))))
        for language in ("en", "de", "en"):
            with override(language):
                assert is_client_endpoint(request(f"/{language}/idlewatch/state/"))


@pytest.mark.parametrize(
    ("headers", "method", "seen"),
    [
        (NAVIGATION, "GET", True),
        (NAVIGATION, "POST", True),
        (NAVIGATION, "HEAD", False),
        (NAVIGATION, "OPTIONS", False),
        (FETCH, "GET", False),
        (HTMX, "GET", False),
        (HTMX | {"HX-Boosted": "true"}, "GET", True),
    ],
)
def test_whether_the_user_sees_the_response(headers: dict[str, str], method: str, seen: bool):
    assert is_seen(request(headers=headers, method=method)) is seen


@pytest.mark.parametrize("destination", ["iframe", "frame", "embed", "object", "fencedframe"])
def test_what_fills_a_frame_does_not_fill_the_tab(destination: str):
    assert fills_a_frame(request(headers=NAVIGATION | {"Sec-Fetch-Dest": destination}))
    assert not fills_a_frame(request(headers=NAVIGATION))


class TestPagePath:
    def test_a_page_is_its_own(self):
        assert page_path_of(request("/bare/?page=2", NAVIGATION)) == "/bare/?page=2"

    @pytest.mark.parametrize(
        ("referer", "path"),
        [
            ("http://testserver/bare/?page=2", "/bare/?page=2"),
            ("http://testserver", "/"),
            ("https://testserver/bare/", "/"),
            ("http://testserver:8000/bare/", "/"),
            ("http://testserver@evil.example/bare/", "/"),
            ("http://evil.example/bare/", "/"),
            ("http://[bad", "/"),
            ("//evil.example/", "/"),
            ("http://testserver//evil.example/", "/"),
            ("", "/"),
        ],
    )
    def test_a_form_or_fetch_comes_from_its_referer_on_this_site(self, referer: str, path: str):
        assert page_path_of(request(headers=NAVIGATION | {"Referer": referer}, method="POST")) == path
        assert page_path_of(request(headers=FETCH | {"Referer": referer})) == path

    def test_htmx_names_its_page(self):
        headers = HTMX | {"HX-Current-URL": "http://testserver/bare/?page=2#top", "Referer": "http://testserver/"}
        assert page_path_of(request(headers=headers)) == "/bare/?page=2"
