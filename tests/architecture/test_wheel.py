"""The wheel, installed bare, as the README has it, and with `[all]`: in each, a small site watches its sessions."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.integration.server.visitors import FETCH, Visitor
from tests.support.redis_server import redis_url
from tests.support.serving import ROOT, Server, clean_environment

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]

README = (ROOT / "README.md").read_text()
BARE = {"asgiref", "channels", "django", "idlewatch", "msgspec", "sortedcontainers", "sqlparse"}
"""The packages that the wheel brings without extras."""
LIMITS = {"IDLE_TIMEOUT": 6, "WARN_BEFORE": 4, "HEARTBEAT": 1}
ENDS_WITHIN = 30.0
TOKEN = "0123456789abcdefghij"
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"

SETTINGS = """
INSTALLED_APPS = [*{apps}, *INSTALLED_APPS]
MIDDLEWARE.insert(MIDDLEWARE.index({before}) + 1, {middleware})
TEMPLATES[0]["DIRS"] = [BASE_DIR / "templates"]
{asgi_application}
{session_cookie}
LOGIN_URL = "/admin/login/"
SILENCED_SYSTEM_CHECKS = ["idlewatch.W002"]
IDLEWATCH = {limits}
"""
OPTIONS_OF_ALL = """
IDLEWATCH["METRICS_TOKEN"] = {token!r}
IDLEWATCH["STORE"] = {{"BACKEND": "idlewatch.store.redis.RedisStore", "LOCATION": {url!r}}}
HOST = {{"address": {url!r}, "socket_timeout": None}}
LAYER = "channels_redis.pubsub.RedisPubSubChannelLayer"
CHANNEL_LAYERS = {{"default": {{"BACKEND": LAYER, "CONFIG": {{"hosts": [HOST]}}}}}}
"""
URLS = """
from django.contrib import admin
from django.urls import include, path
from django.views.generic import TemplateView

urlpatterns = [
    path("", TemplateView.as_view(template_name="home.html")),
    path("admin/", admin.site.urls),
    {include},
]
"""
METRICS = """
from idlewatch.views.ops import metrics
urlpatterns += [path("metrics", metrics)]
"""
SET_UP = """
from django.contrib.auth import get_user_model
from django.core.management import call_command
call_command("migrate", verbosity=0)
get_user_model().objects.create_superuser("ada", password="countess")
"""
LOCATE = """
import idlewatch.testing
from django.contrib.staticfiles.finders import find
print(idlewatch.__file__, find("idlewatch/idlewatch.js"), find("idlewatch/idlewatch.css"))
"""


def readme(line: str) -> str:
    """Return a line that the README tells its reader to write; it has to stand there."""
    assert line in README
    return line


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, env=clean_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pip(python: Path, *command: str | Path) -> str:
    options = ("--no-input", "--disable-pip-version-check", "--python", python)
    return run(sys.executable, "-m", "pip", *options, *command, cwd=python.parent)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, cwd=ROOT)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module", params=["", "[daphne,doctor]", "[all]"], ids=lambda extras: extras or "bare")
def extras(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def python(wheel: Path, extras: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with nothing but the wheel and what it asks for."""
    home = tmp_path_factory.mktemp("empty")
    run(sys.executable, "-m", "venv", "--without-pip", home / "venv", cwd=home)
    interpreter = home / "venv" / "bin" / "python"
    pins = re.findall(r"^([a-z0-9-]+==.+?) \\$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    (home / "constraints.txt").write_text("\n".join(pins))
    pip(interpreter, "install", "--quiet", "--no-compile", "--constraint", home / "constraints.txt", f"{wheel}{extras}")
    return interpreter


class DjangoServer(Server):
    """Django's own, over WSGI."""

    @property
    def command(self) -> list[str]:
        return [self.python, "manage.py", "runserver", "--noreload", f"127.0.0.1:{self.port}"]


def write_project(python: Path, extras: str, home: Path) -> None:
    """Start a Django project and follow the README's steps, with each feature that the environment has."""
    run(python, "-m", "django", "startproject", "mysite", ".", cwd=home)
    apps = ['"daphne",'] * bool(extras) + ['"idlewatch",']
    settings = SETTINGS.format(
        apps=[readme(app).strip('",') for app in apps] + ["idlewatch.drafts"] * (extras == "[all]"),
        before=readme('"django.contrib.auth.middleware.AuthenticationMiddleware",').rstrip(","),
        middleware=readme('"idlewatch.middleware.IdleWatchMiddleware",').rstrip(","),
        asgi_application=readme('ASGI_APPLICATION = "mysite.asgi.application"'),
        session_cookie=readme("SESSION_EXPIRE_AT_BROWSER_CLOSE = True"),
        limits=LIMITS,
    )
    urls = URLS.format(include=readme('path("idlewatch/", include("idlewatch.urls"))'))
    if extras == "[all]":
        settings += OPTIONS_OF_ALL.format(token=TOKEN, url=redis_url())
        urls += METRICS
    asgi = [readme("from idlewatch.asgi import watched"), readme("application = watched(get_asgi_application())")]
    added = {"settings": settings, "urls": urls, "asgi": "\n".join(asgi)}
    added["wsgi"] = added["asgi"].replace("asgi", "wsgi")
    for name, text in added.items():
        with (home / "mysite" / f"{name}.py").open("a") as module:
            module.write(text)
    (home / "templates").mkdir()
    page = f"{readme('{% load idlewatch %}')}<title>Home</title><body>Home {readme('{% idlewatch %}')}</body>"
    (home / "templates" / "home.html").write_text(page)


@pytest.fixture(scope="module")
def site(python: Path, extras: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("site")
    write_project(python, extras, home)
    kind = Server if extras else DjangoServer
    site = kind("mysite.asgi:application", clean_environment(), home / "log", python=str(python), cwd=home)
    site.manage("shell", "-c", SET_UP)
    site.start()
    yield site
    site.stop()


@pytest.fixture
def visitor(site: Server) -> Visitor:
    visitor = Visitor(site)
    entered = visitor.sign_in("/admin/login/", "ada", "countess", **{"User-Agent": USER_AGENT})
    assert (entered.status, entered.headers["Location"]) == (302, "/")
    return visitor


def test_the_wheel_holds_the_app_and_nothing_else(wheel: Path):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"idlewatch", "idlewatch-0.1.0.dist-info"}
    migrations = ("migrations/0001_watched_sessions.py", "drafts/migrations/0001_drafts.py")
    for needed in ("py.typed", *migrations, "static/idlewatch/idlewatch.js"):
        assert f"idlewatch/{needed}" in names
    catalogues = list(ROOT.glob("idlewatch/locale/*/LC_MESSAGES/django.mo"))
    assert len(catalogues) == 14
    for tracked in (*ROOT.glob("static/idlewatch/**/*"), *ROOT.glob("idlewatch/templates/**/*"), *catalogues):
        if tracked.is_file():
            inside = tracked.relative_to(ROOT).as_posix()
            assert inside in names or f"idlewatch/{inside}" in names


def test_it_asks_for_few_packages_of_any_new_version_and_its_page_on_an_index_has_no_relative_link(wheel: Path):
    metadata = zipfile.ZipFile(wheel).read("idlewatch-0.1.0.dist-info/METADATA").decode()
    required = re.findall(r"^Requires-Dist: ([\w.-]+)(\S*)$", metadata, re.MULTILINE)
    assert {name.lower() for name, _ in required} == {"channels", "django", "msgspec", "sortedcontainers"}
    assert all(version.startswith(">=") and "<" not in version for _, version in required)
    assert metadata.count("Project-URL: ") == 4
    links = re.findall(r"\]\(([^)]+)\)|^\[[^\]]+\]: (\S+)", README, re.MULTILINE)
    assert links
    assert [link for pair in links for link in pair if link and not link.startswith(("https://", "#"))] == []


def test_it_is_installed_with_what_it_needs_and_passes_its_checks(site: Server, python: Path, extras: str):
    installed = {each["name"].lower() for each in json.loads(pip(python, "list", "--format", "json"))}
    assert installed > BARE if extras else installed == BARE
    found = site.manage("shell", "-c", LOCATE).split()[-3:]
    assert all(path.startswith(str(python.parent.parent)) for path in found)
    if extras:
        assert "no issues" in site.manage("check", "--fail-level", "WARNING")
    else:
        with pytest.raises(RuntimeError, match=r'W029[^?]+pip install "idlewatch\[daphne\]"') as failed:
            site.manage("check", "--fail-level", "WARNING")
        assert set(re.findall(r"idlewatch\.[EWI]\d+", str(failed.value))) == {"idlewatch.W029"}


def test_a_user_is_warned_and_signed_out_over_http_and_in_an_open_tab(site: Server, extras: str, visitor: Visitor):
    assert 'id="idlewatch-client"' in visitor.get("/").text
    headers = {"Cookie": visitor.cookie}
    opening = partial(connect, site.socket_url(), origin=site.origin, additional_headers=headers, proxy=None)
    with ExitStack() as stack:
        if extras:
            tab = stack.enter_context(opening())
        else:
            # Django's own server has no sockets: pages fall back to HTTP.
            with pytest.raises(InvalidStatus, match="404"):
                opening()
        phases: list[str] = []
        deadline = time.monotonic() + ENDS_WITHIN
        while "ended" not in phases and time.monotonic() < deadline:
            phase = json.loads(visitor.get("/idlewatch/state/", FETCH).text)["phase"]
            phases += [phase] if phase not in phases else []
            time.sleep(0.2)
        assert phases == ["active", "warned", "ended"]
        if extras:
            frames = [json.loads(tab.recv(timeout=ENDS_WITHIN)) for _ in range(3)]
            assert [frame["phase"] for frame in frames] == phases
            assert frames[-1]["reason"] == "idle"
            with pytest.raises(ConnectionClosed, match="4401"):
                tab.recv(timeout=ENDS_WITHIN)
    assert "because of inactivity" in visitor.get("/").text


def test_the_doctor_finds_nothing_wrong_with_it(site: Server, extras: str):
    if not extras:
        with pytest.raises(RuntimeError, match=r'pip install "idlewatch\[doctor\]"'):
            site.manage("idlewatch", "doctor")
        return
    command = readme("manage.py idlewatch doctor --make-user").split()[1:]
    # It serves the static files, too; and the memory store has one process.
    server = DjangoServer("", site.environ, site.log, python=site.python, cwd=site.cwd)
    site.stop()
    server.start()
    try:
        found = json.loads(server.manage(*command, "--url", server.origin, "--json"))
    finally:
        server.stop()
        site.start()
    assert found["counts"]["fault"] == 0
    assert found["counts"]["ok"] > 50


def test_each_feature_is_there_by_its_extra_alone(extras: str, visitor: Visitor):
    embedded = re.search(r'data-config="([^"]+)"', visitor.get("/").text)
    assert embedded is not None
    config: dict[str, Any] = json.loads(html.unescape(embedded[1]))
    draft = json.dumps({"page": "/", "form": "letter", "fields": [["body", "Dear Sir"]]})
    address = f"/idlewatch/drafts/?{urlencode({'for': config['token']})}"
    saved = visitor.post(address, draft, {"Content-Type": "application/json"})
    devices = visitor.get("/idlewatch/sessions/").text
    metrics = visitor.get("/metrics", {"Authorization": f"Bearer {TOKEN}"})
    if extras == "[all]":
        assert config["drafts"] == "/idlewatch/drafts/"
        assert json.loads(saved.text)["saved"]
        assert "Firefox 128 on Linux" in devices
        assert "idlewatch_requests_total" in metrics.text
    else:
        assert "drafts" not in config
        assert (saved.status, metrics.status) == (404, 404)
        assert "Unknown device" in devices
