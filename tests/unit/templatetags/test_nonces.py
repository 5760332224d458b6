"""Under a policy with nonces, every script and stylesheet of idlewatch carries the request's."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from csp.constants import NONCE, SELF, STRICT_DYNAMIC
from django.conf import settings as project
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import path

from idlewatch.core.activity import Reason
from idlewatch.http.nonces import nonce_of
from idlewatch.models import WatchedSession
from idlewatch.monitor import service as monitor
from idlewatch.process import now
from idlewatch.templatetags.context_processors import idlewatch
from tests.support.urls import urlpatterns as others

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]

SENDER = "csp.middleware.CSPMiddleware"
MIDDLEWARE = list(project.MIDDLEWARE)
ASSETS = re.compile(r"<(?:script\b|link rel=\"stylesheet\")[^>]*>")


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(idlewatch(request)["idlewatch"]())


urlpatterns = [path("", page), *others]


@pytest.fixture
def browser(client: Client, settings: Any) -> Client:
    directives = {"script-src": [NONCE, STRICT_DYNAMIC], "style-src": [SELF, NONCE]}
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": directives}
    settings.MIDDLEWARE = [SENDER, *MIDDLEWARE]
    client.force_login(User.objects.create_superuser("ada"))
    return client


def read(browser: Client, at: str) -> tuple[list[str], str]:
    """Return idlewatch's scripts and stylesheets in a page, and the nonce of the page's policy."""
    response = browser.get(at, headers={"Sec-Fetch-Mode": "navigate"})
    assert response.status_code == 200
    assets = [tag for tag in ASSETS.findall(response.content.decode()) if "/idlewatch/" in tag]
    (nonce,) = set(re.findall("'nonce-([^']+)'", response.headers["Content-Security-Policy"]))
    return assets, nonce


@pytest.mark.parametrize(
    ("at", "number"),
    [
        ("/", 2),
        ("/idlewatch/sessions/", 4),
        ("/idlewatch/reauthenticate/", 4),
        ("/idlewatch/signed-in/", 4),
        ("/admin/", 2),
        ("/admin/idlewatch/live/", 4),
        ("/admin/idlewatch/watchedsession/{watch_id}/change/", 3),
    ],
)
def test_each_carries_the_nonce_of_the_header(browser: Client, at: str, number: int):
    assets, nonce = read(browser, at.format(watch_id=WatchedSession.objects.get().pk))
    assert len(assets) == number
    assert all(f' nonce="{nonce}"' in tag for tag in assets)


def test_the_notice_after_an_end_carries_it_too(browser: Client):
    monitor.end(WatchedSession.objects.get().pk, Reason.REVOKED, now())
    stylesheets, nonce = read(browser, "/")
    assert len(stylesheets) == 2
    assert all(f' nonce="{nonce}"' in tag for tag in stylesheets)


@pytest.mark.parametrize("place", [0, len(MIDDLEWARE)])
def test_the_client_in_a_theme_of_the_admin_carries_it_wherever_the_policy_is_sent(
    browser: Client, settings: Any, tmp_path: Path, place: int
):
    (tmp_path / "admin").mkdir()
    (tmp_path / "admin" / "base.html").write_text("<body>{% block content %}{% endblock %}</body>")
    settings.TEMPLATES = [{**project.TEMPLATES[0], "DIRS": [tmp_path]}]
    settings.MIDDLEWARE = [*MIDDLEWARE[:place], SENDER, *MIDDLEWARE[place:]]
    assets, nonce = read(browser, "/admin/")
    assert len(assets) == 2
    assert all(f' nonce="{nonce}"' in tag for tag in assets)


def test_without_a_nonce_there_is_no_attribute(browser: Client, settings: Any):
    settings.MIDDLEWARE = MIDDLEWARE
    assert b"nonce" not in browser.get("/").content


class TestNonceOfARequest:
    def test_is_that_of_django_too(self, monkeypatch: pytest.MonkeyPatch):
        """From 6.0 on. One that has not been read is false."""

        class Lazy:
            def __bool__(self) -> bool:
                return False

            def __str__(self) -> str:
                return "n0nce"

        module = ModuleType("django.middleware.csp")
        module.get_nonce = lambda request: getattr(request, "_csp_nonce", None)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        request = RequestFactory().get("/")
        assert nonce_of(request) is None
        request._csp_nonce = Lazy()
        assert nonce_of(request) == "n0nce"
        request.csp_nonce = "another"
        assert nonce_of(request) == "another"

    def test_is_none_once_the_header_was_sent_without_it(self, settings: Any):
        from csp.middleware import CSPMiddleware

        settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": {"script-src": [NONCE]}}
        request = RequestFactory().get("/")
        CSPMiddleware(lambda request: HttpResponse())(request)
        assert nonce_of(request) is None
