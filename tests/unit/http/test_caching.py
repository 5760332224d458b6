"""A page with the client belongs to one user: no cache keeps it, and none gives a visitor's page to a user."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project
from django.contrib.auth.models import User
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.middleware.cache import FetchFromCacheMiddleware, UpdateCacheMiddleware
from django.template import engines
from django.test import RequestFactory
from django.urls import include, path
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_page
from django.views.decorators.http import condition, etag, last_modified
from django.views.decorators.vary import vary_on_cookie
from django.views.generic import View

from idlewatch.http import django_cache, view_warnings
from tests.conftest import Time
from tests.support.http import FETCH, NAVIGATION, Browser
from tests.support.redis_server import shared_redis

UPDATE = "django.middleware.cache.UpdateCacheMiddleware"
FETCH_CACHED = "django.middleware.cache.FetchFromCacheMiddleware"
CONDITIONAL = "django.middleware.http.ConditionalGetMiddleware"
TAG = "{% load idlewatch %}<body>{% idlewatch %}</body>"
LOADED = datetime(2026, 1, 1, tzinfo=UTC)

rendered: list[HttpRequest] = []


def page(request: HttpRequest, source: str = TAG) -> HttpResponse:
    rendered.append(request)
    template = engines["django"].from_string(source)
    return HttpResponse(template.render({}, request), status=request.GET.get("status", 200))


async def apage(request: HttpRequest) -> HttpResponse:
    return page(request)


@method_decorator(cache_page(60), name="dispatch")
class Page(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return page(request)


def headed(request: HttpRequest) -> HttpResponse:
    """Answer with the headers of the query."""
    response = page(request)
    for name, value in request.GET.items():
        response[name] = value
    return response


def streamed(request: HttpRequest) -> StreamingHttpResponse:
    headers = {"Cache-Control": "public, max-age=60"}
    if "file" in request.GET:
        return FileResponse(Path(__file__).open("rb"), content_type="text/html", headers=headers)
    return StreamingHttpResponse((page(request).content for _ in range(1)), headers=headers)


def whoami(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"user": request.user.get_username()})


def version(request: HttpRequest, source: str = "") -> str:
    return "v1"


def loaded(request: HttpRequest) -> datetime:
    return LOADED


urlpatterns = [
    path("plain/", page),
    path("cached/", cache_page(60)(page)),
    path("acached/", cache_page(60)(apage)),
    path("class-cached/", Page.as_view()),
    path("cached-notice/", cache_page(60)(page), {"source": "{{ request.idlewatch.notice|default:'' }}"}),
    path("cached-phase/", cache_page(60)(page), {"source": "{{ request.idlewatch.phase|default:'' }}"}),
    path("headed/", headed),
    path("streamed/", streamed),
    path("etag/", etag(version)(page)),
    path("aetag/", etag(version)(apage)),
    path("last-modified/", last_modified(loaded)(page)),
    path("bare-etag/", etag(version)(page), {"source": "bare"}),
    path("condition/", condition(version, loaded)(page)),
    path("whoami/", cache_page(60)(vary_on_cookie(whoami))),
    path("whoami-everywhere/", whoami),
    path("", include("tests.support.http_site")),
]


@pytest.fixture(params=["locmem", "file", pytest.param("redis", marks=pytest.mark.redis)])
def backend(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> None:
    """Each kind of cache that Django ships."""
    name = {"locmem": "locmem.LocMemCache", "file": "filebased.FileBasedCache", "redis": "redis.RedisCache"}
    location = {"locmem": "pages", "file": str(tmp_path)}.get(request.param) or shared_redis().url
    default = {"BACKEND": f"django.core.cache.backends.{name[request.param]}", "LOCATION": location}
    settings.CACHES = {"default": default | {"KEY_PREFIX": tmp_path.name}}


@pytest.fixture(autouse=True)
def pages(on_site: None, settings: Any) -> Iterator[None]:
    settings.ROOT_URLCONF = __name__
    view_warnings._log.cache_clear()
    rendered.clear()
    yield
    rendered.clear()


@pytest.fixture
def cached_site(settings: Any) -> None:
    settings.MIDDLEWARE = [UPDATE, *project.MIDDLEWARE, FETCH_CACHED]


def token(response: Any) -> str | None:
    """The token of the client in a page; None for a page without it."""
    found = re.search("&quot;token&quot;: &quot;([^&]+)", response.content.decode())
    return found[1] if found else None


def owners(path: str, *browsers: Browser) -> list[str | None]:
    return [token(browser.visit(path)) for browser in browsers]


class TestDjangosCaches:
    @pytest.mark.parametrize("path", ["/cached/", "/acached/", "/class-cached/"])
    @pytest.mark.parametrize("is_async", [False, True], ids=["wsgi", "asgi"])
    def test_cache_page_keeps_no_page_with_the_tag(
        self, backend: None, ann: User, bob: User, clock: Time, path: str, is_async: bool
    ):
        anns, bobs, visitor = (Browser(is_async=is_async) for _ in range(3))
        anns.sign_in(ann)
        bobs.sign_in(bob)
        first, none, second, again = owners(path, anns, visitor, bobs, anns)
        assert none is None
        assert None is not first == again != second is not None

    def test_it_is_logged_once_a_view(self, signed_in: Browser, caplog: pytest.LogCaptureFixture):
        with caplog.at_level(logging.WARNING, "idlewatch"):
            owners("/cached/", signed_in, Browser(), signed_in)
        (line,) = caplog.messages
        assert f"{__name__}.page is decorated with cache_page" in line

    def test_nor_one_that_says_why_a_session_ended(self, late: Browser):
        late.visit("/closed/")
        assert late.visit("/cached-notice/").content
        assert not Browser().visit("/cached-notice/").content

    def test_nor_one_that_shows_the_phase(self, signed_in: Browser):
        assert not Browser().visit("/cached-phase/").content
        assert signed_in.visit("/cached-phase/").content == b"active"

    @pytest.mark.parametrize("path", ["/plain/", "/headed/?Cache-Control=public,max-age%3D60"])
    def test_a_cache_for_the_site_keeps_the_page_of_a_visitor_alone(
        self, cached_site: None, backend: None, ann: User, bob: User, clock: Time, path: str
    ):
        visitor, anns, bobs = Browser(), Browser(), Browser()
        assert owners(path, visitor, visitor) == [None, None]
        assert len(rendered) == 1
        anns.sign_in(ann)
        bobs.sign_in(bob)
        first, second, again, none = owners(path, anns, bobs, anns, visitor)
        assert none is None
        assert None is not first == again != second is not None
        assert len(rendered) == 4

    def test_it_logs_nothing(self, cached_site: None, signed_in: Browser, caplog: pytest.LogCaptureFixture):
        owners("/plain/", signed_in, Browser())
        assert not caplog.messages

    def test_a_head_is_kept_no_more_than_a_get(self, cached_site: None, signed_in: Browser):
        for each in ("/cached/", "/plain/"):
            signed_in.ask("head", each, headers=NAVIGATION)
            assert token(signed_in.visit(each))
            assert token(Browser().visit(each)) is None

    @pytest.mark.rule("R9")
    @pytest.mark.parametrize("is_async", [False, True], ids=["wsgi", "asgi"])
    @pytest.mark.parametrize("path", ["/whoami/", "/whoami-everywhere/"])
    def test_what_was_kept_for_a_user_is_not_served_after_the_end(
        self, cached_site: None, ann: User, clock: Time, path: str, is_async: bool
    ):
        browser = Browser(is_async=is_async)
        browser.client.cookies["theme"] = "dark"
        browser.sign_in(ann)
        key = str(browser.key)
        assert browser.poll(path).json() == browser.poll(path).json() == {"user": "ann"}
        clock.pass_(900)
        assert browser.poll(path).json() == {"user": ""}
        browser.key = key
        assert browser.poll(path).json() == {"user": ""}

    def test_the_reason_of_an_end_comes_before_the_page_of_a_visitor(self, cached_site: None, late: Browser):
        Browser().visit("/plain/")
        assert "because of inactivity" in late.visit("/plain/").content.decode()

    def test_django_decides_by_this_attribute(self):
        request = RequestFactory().get("/")
        assert FetchFromCacheMiddleware(HttpResponse).process_request(request) is None
        assert getattr(request, django_cache.UPDATES_CACHE) is True
        update = UpdateCacheMiddleware(HttpResponse)
        assert update.process_response(request, HttpResponse()).has_header("Expires")
        setattr(request, django_cache.UPDATES_CACHE, False)
        assert not update.process_response(request, HttpResponse()).has_header("Expires")


@pytest.mark.rule("R19")
class TestSharedCaches:
    @pytest.mark.parametrize(
        ("said", "users"),
        [
            ("public", "no-store, private"),
            ("public, max-age=60", "no-store, private"),
            ("S-Maxage=60, max-age=0", "no-store, private"),
            ("max-age=60", "max-age=60, private"),
            ("no-cache", "no-cache, private"),
            ('max-age=60, private="X-A, X-B"', 'max-age=60, private="X-A, X-B", private'),
            ('no-cache="X, public"', 'no-cache="X, public", private'),
            ("private, max-age=60", "private, max-age=60"),
            ("no-store", "no-store, private"),
        ],
    )
    def test_nothing_lets_them_keep_the_page_of_a_user(self, signed_in: Browser, said: str, users: str):
        for status in (200, 404):
            query = {"Cache-Control": said, "status": status}
            assert signed_in.ask("get", "/headed/", query, NAVIGATION).headers["Cache-Control"] == users
            visitors = Browser().ask("get", "/headed/", query, NAVIGATION)
            assert visitors.headers["Cache-Control"] == said
            assert visitors.headers["Vary"] == "Cookie"

    @pytest.mark.parametrize("name", ["CDN-Cache-Control", "Acme-CDN-Cache-Control", "Surrogate-Control"])
    def test_nor_does_a_header_that_is_for_them_alone(self, signed_in: Browser, name: str):
        query = {name: "max-age=60"}
        assert name not in signed_in.ask("get", "/headed/", query, NAVIGATION).headers
        assert name in Browser().ask("get", "/headed/", query, NAVIGATION).headers

    def test_nor_do_they_spread_the_reason_of_an_end(self, late: Browser):
        response = late.poll("/headed/?Cache-Control=public,max-age%3D60")
        assert "sessionid_ended" in response.cookies
        assert response.headers["Cache-Control"] == "no-store, private"

    def test_the_same_goes_for_a_page_that_is_rendered_while_it_is_sent(self, signed_in: Browser):
        response = signed_in.visit("/streamed/")
        assert b"idlewatch-client" in b"".join(response.streaming_content)
        assert response.headers["Cache-Control"] == "no-store, private"
        assert Browser().visit("/streamed/").headers["Vary"] == "Cookie"

    def test_a_file_is_no_page_of_a_user(self, signed_in: Browser):
        response = signed_in.visit("/streamed/?file=")
        assert response.headers["Cache-Control"] == "public, max-age=60"
        response.close()


class TestConditions:
    @pytest.fixture(autouse=True, params=["views", "site"])
    def conditional(self, request: pytest.FixtureRequest, settings: Any) -> None:
        if request.param == "site":
            settings.MIDDLEWARE = [CONDITIONAL, *project.MIDDLEWARE]

    @pytest.fixture(params=["/etag/", "/aetag/", "/last-modified/", "/condition/"])
    def path(self, request: pytest.FixtureRequest) -> str:
        return request.param

    @pytest.fixture
    def known(self, path: str) -> dict[str, str]:
        """The headers of a browser that has a visitor's copy of the page."""
        headers = Browser().visit(path).headers
        pairs = {"If-None-Match": "ETag", "If-Modified-Since": "Last-Modified"}
        known = {name: headers[of] for name, of in pairs.items() if of in headers}
        assert known
        assert Browser().visit(path, **known).status_code == 304
        return known

    def test_a_user_gets_a_page_of_their_own(self, signed_in: Browser, path: str, known: dict[str, str]):
        for headers in (NAVIGATION, FETCH | {"Accept": "text/html"}, FETCH | {"HX-Boosted": "true"}):
            response = signed_in.ask("get", path, headers=headers | known)
            assert token(response)
            assert not {"ETag", "Last-Modified"} & set(response.headers)

    @pytest.mark.rule("R19")
    @pytest.mark.parametrize("headers", [NAVIGATION, FETCH], ids=["page", "script"])
    def test_after_the_end_nothing_comes_back(
        self, late: Browser, path: str, known: dict[str, str], headers: dict[str, str]
    ):
        assert late.ask("get", path, headers=headers | known).status_code == 200

    def test_the_reason_of_an_end_comes_at_once(self, late: Browser, path: str, known: dict[str, str]):
        late.visit("/closed/")
        assert "because of inactivity" in late.visit(path, **known).content.decode()
        assert late.visit(path, **known).status_code == 304

    def test_nor_does_a_page_without_the_tag(self, signed_in: Browser):
        assert "ETag" not in signed_in.visit("/bare-etag/").headers
        assert "ETag" in signed_in.poll("/bare-etag/").headers
        assert "ETag" in Browser().visit("/bare-etag/").headers

    def test_what_a_script_fetches_is_left_alone(self, signed_in: Browser):
        assert signed_in.ask("get", "/etag/", headers=FETCH | {"If-None-Match": '"v1"'}).status_code == 304

    def test_so_is_what_must_not_be_written_twice(self, signed_in: Browser):
        response = signed_in.ask("put", "/etag/", headers=NAVIGATION | {"If-None-Match": "*"})
        assert response.status_code == 412
