from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

import pytest
from websockets.sync.client import connect

from tests.support.serving import ROOT, Server, clean_environment

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]

README = (ROOT / "README.md").read_text()


def readme(line: str) -> str:
    """A line that the README tells its reader to write; it has to stand there."""
    assert line in README
    return line


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=clean_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, cwd=ROOT)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with nothing but the wheel and what it asks for."""
    home = tmp_path_factory.mktemp("empty")
    run(sys.executable, "-m", "venv", home / "venv", cwd=home)
    interpreter = home / "venv" / "bin" / "python"
    pins = re.findall(r"^([a-z0-9-]+==.+?) \\$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    (home / "constraints.txt").write_text("\n".join(pins))
    pip = (interpreter, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check")
    run(*pip, "--constraint", home / "constraints.txt", wheel, cwd=home)
    return interpreter


@pytest.fixture(scope="module")
def site(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A bare Django project that followed the README's five steps."""
    home = tmp_path_factory.mktemp("bare")
    run(python, "-m", "django", "startproject", "mysite", ".", cwd=home)
    settings = home / "mysite" / "settings.py"
    text = settings.read_text()
    apps = [readme('"daphne",'), readme('"idlewatch",')]
    text = text.replace("INSTALLED_APPS = [", "\n    ".join(["INSTALLED_APPS = [", *apps]))
    authentication = readme('"django.contrib.auth.middleware.AuthenticationMiddleware",')
    ours = readme('"idlewatch.middleware.IdleWatchMiddleware",')
    text = text.replace(authentication.replace('"', "'"), f"{authentication}\n    {ours}")
    text = text.replace("'DIRS': []", "'DIRS': [BASE_DIR / 'templates']")
    for line in (
        'ASGI_APPLICATION = "mysite.asgi.application"',
        "SESSION_EXPIRE_AT_BROWSER_CLOSE = True",
    ):
        text += readme(line) + "\n"
    settings.write_text(text + 'LOGIN_URL = "/admin/login/"\n')
    include = readme('path("idlewatch/", include("idlewatch.urls"))')
    (home / "mysite" / "urls.py").write_text(
        textwrap.dedent(f"""
        from django.contrib import admin
        from django.urls import include, path
        from django.views.generic import TemplateView

        urlpatterns = [
            path("", TemplateView.as_view(template_name="home.html")),
            path("admin/", admin.site.urls),
            {include},
        ]
        """)
    )
    asgi = home / "mysite" / "asgi.py"
    text = readme("from idlewatch.asgi import watched") + "\n" + asgi.read_text()
    wrapped = readme("application = watched(get_asgi_application())")
    asgi.write_text(text.replace("application = get_asgi_application()", wrapped))
    (home / "templates").mkdir()
    (home / "templates" / "home.html").write_text(
        f"{readme('{% load idlewatch %}')}<title>Home</title><body>Home {readme('{% idlewatch %}')}</body>"
    )

    server = Server("mysite.asgi:application", clean_environment(), home / "daphne.log", python=str(python), cwd=home)
    server.manage("migrate", "--verbosity", "0")
    code = "from django.contrib.auth.models import User; User.objects.create_superuser('ada', password='countess')"
    server.manage("shell", "-c", code)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def cookies() -> CookieJar:
    return CookieJar()


@pytest.fixture(scope="module")
def signed_in(site: Server, cookies: CookieJar) -> OpenerDirector:
    opener = build_opener(HTTPCookieProcessor(cookies))
    login = site.url("/admin/login/")
    page = opener.open(login).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    form = {"username": "ada", "password": "countess", "csrfmiddlewaretoken": token[1], "next": "/"}
    answer = opener.open(login, urlencode(form).encode())
    assert answer.url == site.url("/")
    return opener


def test_the_wheel_holds_the_app_and_nothing_else(wheel: Path):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"idlewatch", "idlewatch-0.1.0.dist-info"}
    for needed in (
        "py.typed",
        "migrations/0001_sessions.py",
        "drafts/migrations/0001_drafts.py",
        "static/idlewatch/idlewatch.js",
    ):
        assert f"idlewatch/{needed}" in names
    catalogues = list(ROOT.glob("idlewatch/locale/*/LC_MESSAGES/django.mo"))
    assert len(catalogues) == 14
    for tracked in (*ROOT.glob("static/idlewatch/**/*"), *ROOT.glob("idlewatch/templates/**/*"), *catalogues):
        if tracked.is_file():
            inside = tracked.relative_to(ROOT).as_posix()
            assert inside in names or f"idlewatch/{inside}" in names


def test_it_asks_for_few_packages(wheel: Path):
    archive = zipfile.ZipFile(wheel)
    metadata = archive.read("idlewatch-0.1.0.dist-info/METADATA").decode()
    required = re.findall(r"^Requires-Dist: ([\w.-]+)(?!.*extra ==)", metadata, re.MULTILINE)
    others = ["autobahn", "msgspec", "prometheus-client", "sortedcontainers", "tqdm", "ua-parser"]
    assert sorted(name.lower() for name in required) == sorted(
        ["channels", "cryptography", "daphne", "django", *others]
    )


def test_the_site_passes_its_checks(site: Server):
    assert "no issues" in site.manage("check", "--fail-level", "WARNING")


def test_it_is_the_installed_app_that_runs(site: Server, python: Path):
    where = site.manage("shell", "-c", "import idlewatch; print(idlewatch.__file__)")
    assert str(python.parent.parent) in where


def test_django_finds_the_client(site: Server, python: Path):
    assert str(python.parent.parent) in site.manage("findstatic", "idlewatch/idlewatch.js", "idlewatch/idlewatch.css")


def test_a_page_carries_the_client(site: Server, signed_in: OpenerDirector):
    assert 'id="idlewatch-client"' in signed_in.open(site.url("/")).read().decode()


def test_a_tab_is_told_its_state(site: Server, signed_in: OpenerDirector, cookies: CookieJar):
    cookie = "; ".join(f"{kept.name}={kept.value}" for kept in cookies)
    headers = {"Cookie": cookie}
    with connect(site.socket_url(), origin=site.origin, additional_headers=headers, proxy=None) as tab:
        frame = json.loads(tab.recv(timeout=10))
    assert (frame["type"], frame["phase"]) == ("state", "active")
    assert 0 < frame["remaining"] <= 900
