"""The pages of Django's admin: each carries the client, and tells the reason of an end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from django.contrib.auth.models import User
from django.core.checks import run_checks
from django.template.loader import render_to_string
from django.test import Client, RequestFactory

from idlewatch.checks.registry import TAG
from idlewatch.conf import conf
from idlewatch.models import WatchedSession
from tests.conftest import Time
from tests.support.serving import ROOT

NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
CLIENT = 'id="idlewatch-client"'
ADMIN = "django.contrib.admin"


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


class TestTheCheck:
    @pytest.fixture
    def installed(self, settings: Any):
        def install(*names: str, directory: Path | None = None) -> list[str]:
            settings.INSTALLED_APPS = list(names)
            settings.TEMPLATES = [{**site.TEMPLATES[0], "DIRS": [directory] if directory else []}]
            return [message.id for message in run_checks(tags=[TAG])]

        return install

    @pytest.fixture
    def others(self) -> list[str]:
        return [name for name in site.INSTALLED_APPS if name not in {"idlewatch", ADMIN}]

    def test_warns_where_idlewatch_stands_after_the_admin(self, installed, others):
        assert installed("idlewatch", ADMIN, *others) == []
        assert installed(ADMIN, *others, "idlewatch") == ["idlewatch.W023"]

    @pytest.mark.parametrize(
        ("source", "has_tag"),
        [
            ('{% extends "admin/base.html" %}', False),
            ('{% extends "admin/base_site.html" %}', True),
            (
                '{% extends "admin/base.html" %}{% load idlewatch %}{% block extrabody %}{% idlewatch %}{% endblock %}',
                True,
            ),
            (
                '{% extends "admin/base.html" %}{% block extrabody %}{% include "admin/client.html" %}{% endblock %}',
                True,
            ),
            # Django reports it.
            ("{% nonsense %}", True),
        ],
    )
    def test_warns_where_a_template_of_the_site_lacks_the_tag(
        self, installed, others, tmp_path: Path, source: str, has_tag: bool
    ):
        (tmp_path / "admin").mkdir()
        base = tmp_path / "admin" / "base_site.html"
        base.write_text(source)
        (tmp_path / "admin" / "client.html").write_text("{% load idlewatch %}{% idlewatch %}")
        assert installed("idlewatch", ADMIN, *others, directory=tmp_path) == ([] if has_tag else ["idlewatch.W023"])
        for message in run_checks(tags=[TAG]):
            assert str(base) in message.msg
            assert "extrabody" in str(message.hint)


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
