"""Users who are signed in by something else than a login view: the server, a provider that asks nothing, a token."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings as project
from django.contrib.auth import login, logout
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.contrib.sessions.models import Session
from django.http import HttpRequest

from idlewatch.core.activity import Reason
from idlewatch.monitor import django_sessions
from idlewatch.monitor import service as monitor
from idlewatch.process import Process
from tests.conftest import START, Time
from tests.support import http_site
from tests.support.http import NAVIGATION, Browser, record, records, tick
from tests.support.processes import give_store_away

REMOTE_USER = "django.contrib.auth.middleware.RemoteUserMiddleware"
IDLEWATCH = "idlewatch.middleware.IdleWatchMiddleware"


class TestRemoteUser:
    """The server in front names the user of each request."""

    @pytest.fixture(params=["before", "after"])
    def order(self, request: pytest.FixtureRequest, settings: Any) -> str:
        settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.RemoteUserBackend"]
        at = project.MIDDLEWARE.index(IDLEWATCH) + (request.param == "after")
        settings.MIDDLEWARE = [*project.MIDDLEWARE[:at], REMOTE_USER, *project.MIDDLEWARE[at:]]
        return request.param

    @pytest.mark.parametrize("is_async", [False, True], ids=["wsgi", "asgi"])
    def test_the_very_first_page_has_the_client(self, order: str, ann: User, is_async: bool):
        browser = Browser(is_async=is_async)
        page = browser.ask("get", "/page/", headers=NAVIGATION, REMOTE_USER="ann")
        assert b"idlewatch-client" in page.content
        assert "no-store" in page.headers["Cache-Control"]
        assert records() == [("ann", "")]

    def test_a_process_without_the_store_answers_503_and_signs_no_one_in(self, order: str, ann: User, clock: Time):
        give_store_away(clock.now)
        with Process(clock=clock.clock).entered():
            page = Browser().ask("get", "/page/", headers=NAVIGATION, REMOTE_USER="ann")
        assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
        assert "sessionid" not in page.cookies
        assert records() == []

    def test_a_visitor_costs_nothing(self, order: str, django_assert_num_queries: Any):
        with django_assert_num_queries(0):
            assert b"idlewatch-client" not in Browser().visit("/page/").content


class TestSilentSignIn:
    """The site asks the OpenID provider whether the user may stay, as the middleware of mozilla-django-oidc does."""

    PROVIDER = "https://provider.example/authorize"

    def begin(self, browser: Browser, state: str, **query: str) -> None:
        url = f"{self.PROVIDER}?{urlencode({'state': state, **query})}"
        assert browser.visit(f"/leave/?{urlencode({'url': url})}").headers["Location"] == url

    def finish(self, browser: Browser, state: str, user: User) -> None:
        http_site.during[:] = [lambda request: login(request, user, "django.contrib.auth.backends.ModelBackend")]
        assert browser.visit(f"/meanwhile/?state={state}").status_code == 200

    def test_the_clocks_go_on(self, signed_in: Browser, ann: User, clock: Time):
        key = signed_in.key
        clock.pass_(600)
        self.begin(signed_in, "s1", prompt="none")
        self.finish(signed_in, "s1", ann)
        assert signed_in.key != key
        assert record().signed_in.timestamp() == START
        assert signed_in.client.session["_idlewatch_signed_in"] == START
        tick(clock)
        assert signed_in.visit("/closed/").status_code == 200

    @pytest.mark.parametrize(("query", "state"), [({"prompt": "login"}, "s1"), ({}, "s1"), ({"prompt": "none"}, "s2")])
    def test_any_other_sign_in_restarts_them(
        self, signed_in: Browser, ann: User, clock: Time, query: dict[str, str], state: str
    ):
        clock.pass_(600)
        self.begin(signed_in, "s1", **query)
        self.finish(signed_in, state, ann)
        assert record().signed_in.timestamp() == START + 600

    def test_one_that_begins_while_the_session_ends_brings_nothing_back(self, signed_in: Browser, clock: Time):
        http_site.during[:] = [lambda _: monitor.end(record().pk, Reason.REVOKED, clock.now), lambda _: tick(clock)]
        self.begin(signed_in, "s1", prompt="none")
        assert signed_in.key is None

    def test_another_user_is_another_session(self, signed_in: Browser, bob: User):
        self.begin(signed_in, "s1", prompt="none")
        self.finish(signed_in, "s1", bob)
        assert sorted(records()) == [("ann", "logout"), ("bob", "")]


class TestTokens:
    """A page of the session asks for a token of its own, and returns it: django-rest-knox sends Django's signals."""

    def test_one_that_is_issued_is_no_sign_in(self, signed_in: Browser, ann: User, clock: Time):
        key = signed_in.key
        http_site.during[:] = [lambda request: user_logged_in.send(User, request=request, user=ann)]
        clock.pass_(600)
        assert signed_in.poll("/meanwhile/").status_code == 200
        assert (signed_in.key, record().signed_in.timestamp()) == (key, START)

    def test_one_that_is_returned_ends_no_session(self, signed_in: Browser):
        def sign_out(request: HttpRequest) -> None:
            request.auth = "token"  # type: ignore[attr-defined]
            user_logged_out.send(User, request=request, user=request.user)

        http_site.during[:] = [sign_out]
        assert signed_in.poll("/meanwhile/").status_code == 200
        assert records() == [("ann", "")]
        assert signed_in.visit("/closed/").status_code == 200

    def test_a_sign_out_that_came_with_one_ends_the_session_too(self, signed_in: Browser):
        def sign_out(request: HttpRequest) -> None:
            request.auth = "token"  # type: ignore[attr-defined]
            logout(request)

        http_site.during[:] = [sign_out]
        assert signed_in.poll("/meanwhile/").status_code == 200
        assert records() == [("ann", "logout")]


class TestApps:
    """An app has a session by a token, not by the cookie: the headless API of django-allauth."""

    def test_their_sessions_are_not_watched(self, browser: Browser, ann: User):
        def sign_in(request: HttpRequest) -> None:
            request.allauth = SimpleNamespace(headless=SimpleNamespace(client="app"))  # type: ignore[attr-defined]
            kept, request.session = request.session, django_sessions.engine()()
            login(request, ann, "django.contrib.auth.backends.ModelBackend")
            request.session.save()
            request.session = kept

        http_site.during[:] = [sign_in]
        assert browser.poll("/meanwhile/").status_code == 200
        assert records() == []
        assert Session.objects.count() == 1

    def test_a_sign_in_whose_view_loads_the_session_again_is_watched_at_once(self, browser: Browser, ann: User):
        """As that of django-allauth at another site does."""

        def sign_in(request: HttpRequest) -> None:
            request.session.save()
            request.session = type(request.session)(request.session.session_key)
            login(request, ann, "django.contrib.auth.backends.ModelBackend")

        http_site.during[:] = [sign_in]
        assert browser.submit("/meanwhile/").status_code == 200
        assert records() == [("ann", "")]


class TestInactiveUsers:
    """Some sites let users sign in who are not active."""

    @pytest.mark.parametrize(("backend", "reason"), [("AllowAllUsersModelBackend", ""), ("ModelBackend", "account")])
    def test_they_stay_where_the_site_admits_them(
        self, browser: Browser, ann: User, clock: Time, settings: Any, backend: str, reason: str
    ):
        path = f"django.contrib.auth.backends.{backend}"
        settings.AUTHENTICATION_BACKENDS = [path]
        User.objects.update(is_active=False)
        browser.client.force_login(ann, path)
        clock.pass_(61)
        tick(clock)
        assert records() == [("ann", reason)]
