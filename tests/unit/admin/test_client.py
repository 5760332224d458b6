"""The pages of Django's admin: each carries the client, and tells the reason of an end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django import urls
from django.conf import settings as site
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.test import Client, RequestFactory

from idlewatch.conf import conf
from idlewatch.models import WatchedSession
from tests.conftest import Time
from tests.support.serving import ROOT
from tests.support.urls import urlpatterns

NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
CLIENT = 'id="idlewatch-client"'
ADMIN = "django.contrib.admin"
LIVE = "/admin/idlewatch/live/"


class Rendered(HttpResponse):
    """A response that renders itself, and is none of Django's."""

    def render(self) -> HttpResponse:
        return self


@pytest.fixture
def operator(transactional_db: None, clock: Time) -> Client:
    User.objects.create_superuser("op", password="pw")
    client = Client(headers=NAVIGATION)
    assert client.post("/login/", {"username": "op", "password": "pw"}).status_code == 302
    return client


@pytest.mark.parametrize(
    "path",
    [
        "/admin/",
        "/admin/auth/",
        "/admin/auth/user/",
        "/admin/auth/user/?_popup=1",
        "/admin/auth/user/add/",
        "/admin/auth/group/add/?_popup=1&_to_field=id",
        "/admin/auth/user/{user}/change/",
        "/admin/auth/user/{user}/history/",
        "/admin/auth/user/{user}/delete/",
        "/admin/auth/user/{user}/password/",
        "/admin/password_change/",
        "/admin/idlewatch/watchedsession/",
        "/admin/idlewatch/watchedsession/{watch_id}/change/",
        "/admin/idlewatch/watchedsession/{watch_id}/history/",
        "/admin/idlewatch/live/",
    ],
)
def test_every_kind_of_admin_page_carries_the_client(operator: Client, path: str):
    user, watch_id = User.objects.get().pk, WatchedSession.objects.get().pk
    response = operator.get(path.format(user=user, watch_id=watch_id))
    assert response.status_code == 200
    assert response.content.decode().count(CLIENT) == 1
    # The admin forbids caching too, in words of its own.
    assert "no-store" in response.headers["Cache-Control"]


def test_answers_to_posts_carry_the_client_until_the_logout(operator: Client, settings: Any):
    chosen = {"action": "delete_selected", "_selected_action": str(User.objects.get().pk)}
    assert CLIENT in operator.post("/admin/auth/user/", chosen).content.decode()
    settings.LOGOUT_REDIRECT_URL = None
    content = operator.post("/admin/logout/").content.decode()
    assert "Logged out" in content
    assert CLIENT not in content


def test_login_page_tells_the_reason_once_above_its_form(operator: Client, clock: Time):
    clock.pass_(conf.policy.idle_timeout + 1)
    assert operator.get("/admin/").status_code == 302
    told, again = (operator.get("/admin/login/").content.decode() for _ in range(2))
    sentence = "because of inactivity"
    assert told.count(sentence) == 1
    assert told.index(sentence) < told.index("login-form")
    assert sentence not in again
    assert CLIENT not in told


@pytest.mark.parametrize("context", [{}, {"request": RequestFactory().get("/")}])
def test_page_without_a_watch_is_as_django_made_it(context: dict[str, Any]):
    """A page for a server's error is rendered without a request, or before the middleware saw it."""
    assert CLIENT not in render_to_string("admin/base_site.html", {**context, "title": "Server error"})


class TestThemeWithoutTheBlocks:
    """No block of Django's templates is common to the themes that replace them."""

    @pytest.fixture(autouse=True)
    def theme(self, settings: Any, tmp_path: Path) -> None:
        (tmp_path / "admin").mkdir()
        (tmp_path / "admin" / "base.html").write_text("<html><body>{% block content %}{% endblock %}</BODY></html>")
        settings.TEMPLATES = [{**site.TEMPLATES[0], "DIRS": [tmp_path]}]

    @pytest.mark.parametrize("path", ["/admin/", "/admin/auth/user/", "/admin/auth/user/add/?_popup=1", LIVE])
    def test_carries_the_client_at_the_end_of_its_body(self, operator: Client, path: str):
        response = operator.get(path)
        content = response.content.decode()
        assert content.count(CLIENT) == 1
        assert content.index(CLIENT) < content.index("</BODY>") < len(content) - len("</BODY>")
        assert response.headers["Content-Length"] == str(len(response.content))

    @pytest.mark.parametrize("installed", [("idlewatch", ADMIN), (ADMIN, "idlewatch")])
    def test_does_so_wherever_the_app_stands(self, operator: Client, settings: Any, installed: tuple[str, str]):
        others = [name for name in site.INSTALLED_APPS if name not in installed]
        settings.INSTALLED_APPS = [*installed, *others]
        assert CLIENT in operator.get("/admin/").content.decode()

    def test_tells_the_reason_at_its_login_page_once(self, operator: Client, clock: Time):
        clock.pass_(conf.policy.idle_timeout + 1)
        operator.get("/admin/")
        told, again = (operator.get("/admin/login/").content.decode() for _ in range(2))
        assert told.count("because of inactivity") == 1
        assert "because of inactivity" not in again

    @pytest.mark.parametrize(
        ("path", "content", "inserted"),
        [
            ("/admin/report/", b"<html><body>2026</body></html>", True),
            # HTML allows the end tags to be left out, and minifiers do.
            ("/admin/report/", b"<!-- 1 -->\n<!DOCTYPE html><title>2026</title><p>2026", True),
            ("/admin/report/", b"<p>2026</p>", False),
            ("/report/", b"<html><body>2026</body></html>", False),
        ],
    )
    @pytest.mark.parametrize("kind", [HttpResponse, Rendered])
    def test_shares_it_with_whole_pages_of_the_project_below_the_admin(
        self, operator: Client, settings: Any, path: str, content: bytes, inserted: bool, kind: type[HttpResponse]
    ):
        def report(_: HttpRequest) -> HttpResponse:
            return kind(content, headers={"Content-Length": str(len(content))})

        settings.ROOT_URLCONF = (urls.path(path.removeprefix("/"), report), *urlpatterns)
        response = operator.get(path)
        assert (CLIENT in response.content.decode()) is inserted
        assert response.headers["Content-Length"] == str(len(response.content))
        assert inserted or response.content == content

    @pytest.mark.parametrize(
        "headers", [{"Content-Disposition": "attachment; filename=report.html"}, {"Content-Encoding": "gzip"}]
    )
    def test_leaves_downloads_and_what_a_middleware_below_has_compressed(
        self, operator: Client, settings: Any, headers: dict[str, str], caplog: pytest.LogCaptureFixture
    ):
        content = b"<html><body>2026</body></html>"
        view = lambda _: HttpResponse(content, headers=headers)  # noqa: E731
        settings.ROOT_URLCONF = (urls.path("admin/report/", view, name=str(headers)), *urlpatterns)
        assert [operator.get("/admin/report/").content for _ in range(2)] == [content, content]
        warned = [record for record in caplog.records if "GZipMiddleware" in record.message]
        assert len(warned) == ("Content-Encoding" in headers)

    def test_has_no_such_pages_where_the_admin_is_not_installed(self, operator: Client, settings: Any):
        content = b"<html><body>2026</body></html>"
        settings.INSTALLED_APPS = [name for name in site.INSTALLED_APPS if name != ADMIN]
        settings.ROOT_URLCONF = (urls.path("admin/report/", lambda _: HttpResponse(content)), *urlpatterns)
        assert operator.get("/admin/report/").content == content

    def test_has_it_where_the_browser_fetches_a_page_in_advance(self, operator: Client):
        assert CLIENT in operator.get("/admin/", headers={"Sec-Purpose": "prefetch;prerender"}).content.decode()

    def test_keeps_what_a_script_fetches_as_it_is(self, operator: Client):
        assert CLIENT not in operator.get("/admin/", headers={"Sec-Fetch-Mode": "cors"}).content.decode()


def test_site_without_the_admin_works(tmp_path: Path):
    (tmp_path / "bare.py").write_text(
        "from tests.support.settings import *\n"
        f"INSTALLED_APPS = [name for name in INSTALLED_APPS if name != {ADMIN!r}]\n"
        "ROOT_URLCONF = 'bare_urls'\n"
    )
    (tmp_path / "bare_urls.py").write_text(
        "from django.contrib.auth.views import LoginView\n"
        "from django.urls import include, path\n"
        "from django.http import HttpResponse\n"
        "urlpatterns = [\n"
        "    path('login/', LoginView.as_view()),\n"
        "    path('private/', lambda request: HttpResponse()),\n"
        "    path('idlewatch/', include('idlewatch.urls')),\n"
        "]\n"
    )
    environ = os.environ | {"DJANGO_SETTINGS_MODULE": "bare", "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "django", "check", "--fail-level", "WARNING"]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
