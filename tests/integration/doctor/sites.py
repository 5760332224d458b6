"""Sites for the doctor: served as documented, or broken, and what the doctor says of them."""

from __future__ import annotations

import atexit
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from secrets import token_hex
from threading import Lock, Semaphore
from typing import Any, NamedTuple

from idlewatch.doctor.findings import Outcome, Trial
from idlewatch.monitor.outage import REPORT_GRACE
from tests.integration.deployment import documented
from tests.integration.deployment.site import Nginx, scratch, self_signed
from tests.integration.doctor.breakage import PATH, Base, Breakage
from tests.support.postgres_server import shared_postgres
from tests.support.redis_server import RedisServer
from tests.support.serving import ROOT, Server, clean_environment, migrated

HOST = "localhost"
"""A name that leads to this machine everywhere, and may be named in a certificate."""
USER = "demo"
SETTINGS = "tests.integration.doctor.settings"
DOCTOR_TIMEOUT = 150.0
STARTING = Semaphore(2)
"""Held while something starts: that takes a core."""
PREPARING = Lock()


class Web(Server):
    """A web process, as the documented unit has it but for what is changed."""

    def __init__(self, site: Breakage, environ: Mapping[str, str], log: Path) -> None:
        super().__init__(site.application, environ, log)
        self.site = site

    @property
    def command(self) -> list[str]:
        if self.site.base is Base.POLLING:
            return [self.python, "-m", "tests.integration.doctor.wsgi_server", str(self.port)]
        line = documented.unit("idlewatch-web@.service")["ExecStart"][0]
        changes = {"project.asgi:application": self.application, **self.site.web}
        return documented.command(documented.replaced(line, changes), str(self.port))


class Running(NamedTuple):
    """A site that is served."""

    site: Breakage
    webs: Sequence[Web]
    front: Server
    """What browsers reach."""
    redis: RedisServer | None
    static: Path
    environ: Mapping[str, str]

    @property
    def url(self) -> str:
        path = f"{PATH}/" if self.site.base is Base.BELOW else "/"
        return (f"https://{HOST}:{self.front.port}" if self.front not in self.webs else self.front.origin) + path

    @property
    def log(self) -> str:
        return "\n".join(web.log.read_text() for web in self.webs)


class Line(NamedTuple):
    """What the doctor says of one thing that it tried."""

    trial: Trial
    outcome: Outcome
    text: str
    """What came, and the hint."""


class Diagnosis(NamedTuple):
    """What the doctor says of a site."""

    exit_code: int
    seconds: float
    lines: Sequence[Line]
    output: str

    def said(self, outcome: Outcome) -> Mapping[Trial, str]:
        """Return what came, by the trials with an outcome."""
        found = dict[Trial, str]()
        for line in self.lines:
            if line.outcome is outcome:
                found[line.trial] = f"{found.get(line.trial, '')}\n{line.text}".strip()
        return found


@contextmanager
def served(site: Breakage) -> Iterator[Running]:
    """Serve a site."""
    with ExitStack() as stack:
        directory = scratch()
        redis = _redis(site, directory)
        static = collected(site.base is Base.BELOW)
        environ = clean_environment(**(_environment(site, directory, static, redis) | dict(site.environ)))
        webs = [Web(site, environ, directory / "web.log")]
        if site.base is Base.TWO:
            webs.append(Web(site, environ | filled(site.second, environ), directory / "second.log"))
        front = webs[0] if site.base in {Base.ALONE, Base.POLLING} else _nginx(site, webs, static)
        servers: list[Any] = [*([redis] if redis else []), *webs, *([front] if front not in webs else [])]
        for server in servers:
            stack.callback(server.stop)
            with STARTING:
                server.start()
        began = time.monotonic()
        running = Running(site, webs, front, redis, static, environ)
        _answer(webs)
        # A new store waits for the reports of all processes before it ends any session.
        time.sleep(max(0.0, REPORT_GRACE + 1 - (time.monotonic() - began)))
        site.once_running(running)
        yield running


def examined(running: Running, *options: str, text: bool = False) -> Diagnosis:
    """Run the doctor, in the environment of the site's processes."""
    command = [sys.executable, "manage.py", "idlewatch", "doctor", "--url", running.url, "--user", USER, *options]
    command += [*running.site.options, *([] if text else ["--json"])]
    environ = {**running.environ, "SSL_CERT_FILE": str(certificate()), **filled(running.site.doctor, running.environ)}
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=DOCTOR_TIMEOUT, check=False
    )
    seconds = time.monotonic() - began
    if text:
        return Diagnosis(done.returncode, seconds, (), done.stdout + done.stderr)
    try:
        found = json.loads(done.stdout)["findings"]
    except ValueError:
        raise AssertionError(f"The doctor failed:\n{done.stdout}{done.stderr}") from None
    lines = [
        Line(Trial(each["trial"]), Outcome(each["outcome"]), f"{each['came']} {each['hint']}".strip()) for each in found
    ]
    return Diagnosis(done.returncode, seconds, lines, done.stdout)


def filled(values: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Put in where the site's Redis and database are."""
    redis, database = environ.get("REDIS_URL", "").removesuffix("/0"), environ["DATABASE_URL"]
    places = {"redis": redis, "database": database.removeprefix("sqlite:///")}
    return {name: value.format(**places) for name, value in values.items()}


def _answer(webs: Sequence[Web]) -> None:
    """Have each process answer once: its timer starts then."""
    for web in webs:
        subprocess.run(["curl", "--silent", "--max-time", "10", web.url("/healthz")], capture_output=True, check=False)


def _redis(site: Breakage, directory: Path) -> RedisServer | None:
    if site.base in {Base.ALONE, Base.POLLING}:
        return None
    words = documented.redis_options()
    options = dict(zip(words[::2], words[1::2], strict=True))
    options |= {f"--{name}": value for name, value in site.redis.items()}
    return RedisServer(directory, *(word for option in options.items() for word in option))


def _nginx(site: Breakage, webs: Sequence[Web], static: Path) -> Nginx:
    certificate()
    changes = {} if len(webs) > 1 else {f"    server 127.0.0.1:{documented.PORTS[1]} max_fails=0;\n": ""}
    if site.base is Base.BELOW:
        changes |= {"location / {": f"location {PATH}/ {{", "location /ws/": f"location {PATH}/ws/"}
        changes |= {"location /static/": f"location {PATH}/static/"}
    return Nginx(scratch(), webs, static, host=HOST, changes=changes | dict(site.nginx))


def _sqlite(directory: Path) -> str:
    return f"sqlite:///{shutil.copy(prepared(), directory / 'db.sqlite3')}"


def _environment(site: Breakage, directory: Path, static: Path, redis: RedisServer | None) -> dict[str, str]:
    database = prepared_postgres() if site.on_postgres else _sqlite(directory)
    environ = documented.environment() | {
        "DJANGO_SETTINGS_MODULE": SETTINGS,
        "DOCTOR_SITE": site.name,
        "ALLOWED_HOSTS": f"{HOST},127.0.0.1",
        "STATIC_ROOT": str(static),
        "DATABASE_URL": database,
    }
    if redis is None:
        del environ["REDIS_URL"]
        return environ | {"SECURE": "0"}
    return environ | {"REDIS_URL": redis.url}


@cache
def _directory() -> Path:
    directory = scratch()
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


def certificate() -> Path:
    """Return the certificate of the host."""
    with PREPARING:
        return self_signed(HOST)[1]


def prepared() -> Path:
    """Return a database with the demo's accounts, to be copied."""
    with PREPARING:
        return _prepared()


@cache
def _prepared() -> Path:
    database = Path(shutil.copy(migrated(), _directory() / "db.sqlite3"))
    environ = clean_environment(DEBUG="1", DATABASE_URL=f"sqlite:///{database}")
    Server("", environ, _directory() / "log").manage("demo")
    return database


def prepared_postgres() -> str:
    """Return a database of a server with the demo's accounts."""
    with PREPARING:
        url = shared_postgres().database(f"doctor_{token_hex(4)}")
        server = Server("", clean_environment(DEBUG="1", DATABASE_URL=url), _directory() / "log")
        server.manage("migrate", "--verbosity", "0")
        server.manage("demo")
        return url


def collected(below: bool) -> Path:
    """Return the directory of the static files."""
    with PREPARING:
        return _collected(below)


@cache
def _collected(below: bool) -> Path:
    static = _directory() / f"static-{'below' if below else 'root'}"
    environ = clean_environment(
        DJANGO_SETTINGS_MODULE="tests.support.deployed", STATIC_ROOT=str(static), SECRET_KEY="for tests alone"
    )
    Server("", environ, _directory() / "log").manage("collectstatic", "--noinput", "--verbosity", "0")
    return static
