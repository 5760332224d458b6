"""The wheel, installed without extras, with `[daphne]` and with `[all]`: in each, a small site watches its sessions."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
import textwrap
import time
import zipfile
from collections.abc import Iterator
from functools import partial
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.support.redis_server import redis_url
from tests.support.serving import ROOT, Server, clean_environment

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]

README = (ROOT / "README.md").read_text()
ENVIRONMENTS = ("", "[daphne]", "[all]")
"""The extras that the wheel is installed with."""
BARE = {"asgiref", "channels", "django", "idlewatch", "msgspec", "sortedcontainers", "sqlparse"}
"""The packages that the wheel brings without extras."""
LIMITS = {"IDLE_TIMEOUT": 6, "WARN_BEFORE": 4, "HEARTBEAT": 1}
ENDS_WITHIN = 30.0
TOKEN = "0123456789abcdefghij"
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"

SET_UP = """
from django.contrib.auth import get_user_model
from django.core.management import call_command
call_command("migrate", verbosity=0)
get_user_model().objects.create_superuser("ada", password="countess")
"""
LOCATE = """
import idlewatch
from django.contrib.staticfiles.finders import find
print(idlewatch.__file__, find("idlewatch/idlewatch.js"), find("idlewatch/idlewatch.css"))
"""


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


@pytest.fixture(scope="module", params=ENVIRONMENTS, ids=lambda extras: extras or "bare")
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


def pip(python: Path, *command: str | Path) -> str:
    options = ("--no-input", "--disable-pip-version-check", "--python", python)
    return run(sys.executable, "-m", "pip", *options, *command, cwd=python.parent)


class Site(Server):
    """A new Django project that followed the README's five steps, with each feature that its environment has."""

    def __init__(self, python: Path, extras: str, home: Path) -> None:
        super().__init__("mysite.asgi:application", clean_environment(), home / "log", python=str(python), cwd=home)
        self.extras = extras
        run(python, "-m", "django", "startproject", "mysite", ".", cwd=home)
        self.write_settings(home / "mysite" / "settings.py")
        self.write_urls(home / "mysite" / "urls.py")
        wrap = "from idlewatch.{0} import watched", "application = watched(get_{0}_application())"
        for interface, lines in (("asgi", map(readme, [each.format("asgi") for each in wrap])), ("wsgi", [])):
            first, wrapped = lines or [each.format(interface) for each in wrap]
            module = home / "mysite" / f"{interface}.py"
            plain = f"application = get_{interface}_application()"
            module.write_text(f"{first}\n{module.read_text().replace(plain, wrapped)}")
        (home / "templates").mkdir()
        tags = readme("{% load idlewatch %}"), readme("{% idlewatch %}")
        (home / "templates" / "home.html").write_text(f"{tags[0]}<title>Home</title><body>Home {tags[1]}</body>")

    @property
    def command(self) -> list[str]:
        """Without an ASGI server: Django's own, over WSGI."""
        if self.extras:
            return super().command
        return [self.python, "manage.py", "runserver", "--noreload", f"127.0.0.1:{self.port}"]

    def write_settings(self, path: Path) -> None:
        text = path.read_text()
        apps = [readme('"idlewatch",')]
        if self.extras:
            apps.insert(0, readme('"daphne",'))
        if self.extras == "[all]":
            apps.append('"idlewatch.drafts",')
        text = text.replace("INSTALLED_APPS = [", "\n    ".join(["INSTALLED_APPS = [", *apps]))
        authentication = readme('"django.contrib.auth.middleware.AuthenticationMiddleware",')
        ours = readme('"idlewatch.middleware.IdleWatchMiddleware",')
        text = text.replace(authentication.replace('"', "'"), f"{authentication}\n    {ours}")
        text = text.replace("'DIRS': []", "'DIRS': [BASE_DIR / 'templates']")
        for line in ('ASGI_APPLICATION = "mysite.asgi.application"', "SESSION_EXPIRE_AT_BROWSER_CLOSE = True"):
            text += f"{readme(line)}\n"
        text += f'LOGIN_URL = "/admin/login/"\nIDLEWATCH = {LIMITS}\nSILENCED_SYSTEM_CHECKS = ["idlewatch.W002"]\n'
        if self.extras == "[all]":
            text += textwrap.dedent(f"""
                IDLEWATCH["METRICS_TOKEN"] = {TOKEN!r}
                IDLEWATCH["STORE"] = {{"BACKEND": "idlewatch.store.redis.RedisStore", "LOCATION": {redis_url()!r}}}
                CHANNEL_LAYERS = {{
                    "default": {{
                        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
                        "CONFIG": {{"hosts": [{{"address": {redis_url()!r}, "socket_timeout": None}}]}},
                    }},
                }}
            """)
        path.write_text(text)

    def write_urls(self, path: Path) -> None:
        include = readme('path("idlewatch/", include("idlewatch.urls"))')
        path.write_text(
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
        if self.extras == "[all]":
            text = path.read_text() + "\nfrom idlewatch.views.ops import metrics\n"
            path.write_text(text + 'urlpatterns += [path("metrics", metrics)]\n')


@pytest.fixture(scope="module")
def site(python: Path, extras: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(python, extras, tmp_path_factory.mktemp("site"))
    site.manage("shell", "-c", SET_UP)
    site.start()
    yield site
    site.stop()


class Visitor:
    """A browser without scripts."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.cookies = CookieJar()
        self.opener: OpenerDirector = build_opener(HTTPCookieProcessor(self.cookies))
        self.opener.addheaders = [("User-Agent", USER_AGENT), ("Accept", "text/html")]

    @property
    def cookie(self) -> str:
        return "; ".join(f"{kept.name}={kept.value}" for kept in self.cookies)

    def get(self, path: str) -> str:
        page: str = self.opener.open(self.site.url(path)).read().decode()
        return page

    def sign_in(self) -> str:
        """Sign in; return the page that follows."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get("/admin/login/"))
        assert token
        form = {"username": "ada", "password": "countess", "csrfmiddlewaretoken": token[1], "next": "/"}
        answer = self.opener.open(self.site.url("/admin/login/"), urlencode(form).encode())
        assert answer.url == self.site.url("/")
        return str(answer.read().decode())

    def state(self) -> dict[str, object]:
        try:
            frame = self.get("/idlewatch/state/")
        except HTTPError as error:
            frame = error.read().decode()
        found: dict[str, object] = json.loads(frame)
        return found

    def config(self) -> dict[str, object]:
        found = re.search(r'data-config="([^"]+)"', self.get("/"))
        assert found
        config: dict[str, object] = json.loads(html.unescape(found[1]))
        return config


@pytest.fixture
def visitor(site: Site) -> Visitor:
    return Visitor(site)


def test_the_wheel_holds_the_app_and_nothing_else(wheel: Path):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"idlewatch", "idlewatch-0.1.0.dist-info"}
    migrations = ("migrations/0001_sessions.py", "drafts/migrations/0001_drafts.py")
    for needed in ("py.typed", *migrations, "static/idlewatch/idlewatch.js"):
        assert f"idlewatch/{needed}" in names
    catalogues = list(ROOT.glob("idlewatch/locale/*/LC_MESSAGES/django.mo"))
    assert len(catalogues) == 14
    for tracked in (*ROOT.glob("static/idlewatch/**/*"), *ROOT.glob("idlewatch/templates/**/*"), *catalogues):
        if tracked.is_file():
            inside = tracked.relative_to(ROOT).as_posix()
            assert inside in names or f"idlewatch/{inside}" in names


def test_it_asks_for_few_packages_and_for_no_version_of_django_that_is_too_new(wheel: Path):
    archive = zipfile.ZipFile(wheel)
    metadata = archive.read("idlewatch-0.1.0.dist-info/METADATA").decode()
    required = re.findall(r"^Requires-Dist: ([\w.-]+)(\S*)$", metadata, re.MULTILINE)
    assert {name.lower() for name, _ in required} == {"channels", "django", "msgspec", "sortedcontainers"}
    assert all(version.startswith(">=") and "<" not in version for _, version in required)


def test_its_page_on_an_index_has_no_link_that_leads_nowhere(wheel: Path):
    metadata = zipfile.ZipFile(wheel).read("idlewatch-0.1.0.dist-info/METADATA").decode()
    assert metadata.count("Project-URL: ") == 4
    links = re.findall(r"\]\(([^)]+)\)|^\[[^\]]+\]: (\S+)", README, re.MULTILINE)
    assert links
    assert [link for pair in links for link in pair if link and not link.startswith(("https://", "#"))] == []


def test_a_bare_install_brings_few_packages(python: Path, extras: str):
    installed = {each["name"].lower() for each in json.loads(pip(python, "list", "--format", "json"))}
    if extras:
        assert installed > BARE
    else:
        assert installed == BARE


def test_the_site_passes_its_checks(site: Site, extras: str):
    if extras:
        assert "no issues" in site.manage("check", "--fail-level", "WARNING")
    else:
        done = subprocess.run(
            [site.python, "manage.py", "check"],
            cwd=site.cwd,
            env=site.environ,
            capture_output=True,
            text=True,
            check=True,
        )
        assert re.findall(r"idlewatch\.\w+", done.stderr) == ["idlewatch.W029"]
        assert 'pip install "idlewatch[daphne]"' in done.stderr


def test_the_app_and_its_client_are_those_of_the_wheel(site: Site, python: Path):
    found = site.manage("shell", "-c", LOCATE).split()[-3:]
    assert all(path.startswith(str(python.parent.parent)) for path in found)


def test_a_user_is_warned_and_signed_out_over_http(visitor: Visitor):
    assert 'id="idlewatch-client"' in visitor.sign_in()
    seen: list[object] = []
    deadline = time.monotonic() + ENDS_WITHIN
    while "ended" not in seen and time.monotonic() < deadline:
        phase = visitor.state()["phase"]
        if phase not in seen:
            seen.append(phase)
        time.sleep(0.2)
    assert seen == ["active", "warned", "ended"]
    assert "because of inactivity" in visitor.get("/")


def test_an_open_tab_is_warned_and_signed_out(site: Site, extras: str, visitor: Visitor):
    visitor.sign_in()
    headers = {"Cookie": visitor.cookie}
    opening = partial(connect, site.socket_url(), origin=site.origin, additional_headers=headers, proxy=None)
    if not extras:
        # Django's own server has no sockets: pages fall back to HTTP, as above.
        with pytest.raises(InvalidStatus, match="404"):
            opening()
        return
    with opening() as tab:
        frames = [json.loads(tab.recv(timeout=ENDS_WITHIN)) for _ in range(3)]
        with pytest.raises(ConnectionClosed) as closed:
            tab.recv(timeout=ENDS_WITHIN)
    assert [frame["phase"] for frame in frames] == ["active", "warned", "ended"]
    assert frames[-1]["reason"] == "idle"
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 4401


def test_each_feature_is_there_by_its_extra_alone(site: Site, extras: str, visitor: Visitor):
    visitor.sign_in()
    config = visitor.config()
    devices = visitor.get("/idlewatch/sessions/")
    metrics = Request(site.url("/metrics"), headers={"Authorization": f"Bearer {TOKEN}"})
    if extras == "[all]":
        assert config["drafts"] == "/idlewatch/drafts/"
        assert save_draft(visitor, config) == 200
        assert "Firefox 128 on Linux" in devices
        assert "idlewatch_requests_total" in visitor.opener.open(metrics).read().decode()
    else:
        assert "drafts" not in config
        assert save_draft(visitor, config) == 404
        assert "Unknown device" in devices
        with pytest.raises(HTTPError, match="404"):
            visitor.opener.open(metrics)


def save_draft(visitor: Visitor, config: dict[str, object]) -> int:
    message = {"page": "/", "form": "letter", "fields": [["body", "Dear Sir"]]}
    headers = {"Content-Type": "application/json", "X-CSRFToken": str(config["csrf"])}
    url = visitor.site.url(f"/idlewatch/drafts/?{urlencode({'for': config['token']})}")
    request = Request(url, json.dumps(message).encode(), headers)
    try:
        answer = visitor.opener.open(request)
    except HTTPError as error:
        return error.code
    assert json.loads(answer.read())["saved"]
    return int(answer.status)
