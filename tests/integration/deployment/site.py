"""The documented deployment for real: PostgreSQL, Redis, web processes by their units, and nginx with TLS."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

from idlewatch.monitor.outage import REPORT_GRACE
from tests.integration.deployment import documented
from tests.support.postgres_server import shared_postgres
from tests.support.redis_server import RedisServer
from tests.support.serving import ROOT, clean_environment, free_port

STARTS_WITHIN = 10.0
SBIN = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"

NGINX = """\
daemon off;
pid {directory}/nginx.pid;
error_log stderr notice;
worker_processes 2;
events {{}}
http {{
    include {mime_types};
    access_log {directory}/access.log;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include {directory}/site.conf;
}}
"""


class Unit:
    """One process as its systemd unit has it."""

    def __init__(self, name: str, instance: str, environ: Mapping[str, str], log: Path) -> None:
        self.unit = documented.unit(name)
        self.instance = instance
        self.environ = dict(environ)
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        return int(self.instance)

    def start(self) -> None:
        """Run `ExecStart`, and what has to succeed before the unit counts as started."""
        with self.log.open("ab") as log:
            command = documented.command(self.unit["ExecStart"][0], self.instance)
            self.process = subprocess.Popen(command, cwd=ROOT, env=self.environ, stdout=log, stderr=log)
            for line in self.unit["ExecStartPost"]:
                command = documented.command(line, self.instance)
                if subprocess.run(command, env=self.environ, stdout=log, stderr=log, check=False).returncode:
                    self.stop(signal.SIGKILL)
                    raise RuntimeError(f"{line} failed:\n{self.log.read_text()[-4000:]}")

    def stop(self, how: signal.Signals | None = None) -> int | None:
        """End it as systemd does; return the exit code. One that takes too long is killed, and that is an error."""
        process, self.process = self.process, None
        if process is None:
            return None
        process.send_signal(how or signal.Signals[self.unit["KillSignal"][0]])
        try:
            return process.wait(float(self.unit["TimeoutStopSec"][0]))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def restart(self) -> None:
        self.stop()
        self.start()


class Nginx:
    """The documented nginx before some web processes."""

    def __init__(self, directory: Path, webs: Sequence[int], static: Path, edits: Mapping[str, str]) -> None:
        self.port, self.plain_port = free_port(), free_port()
        self.directory = directory
        directory.mkdir()
        directory.chmod(0o711)
        self.process: subprocess.Popen[bytes] | None = None
        key, certificate = self_signed()
        locations = documented.text("locations.conf")
        site = documented.replaced(
            documented.text("nginx.conf"),
            {
                "listen 80;": f"listen 127.0.0.1:{self.plain_port};",
                "listen 443 ssl;": f"listen 127.0.0.1:{self.port} ssl;",
                f"/etc/letsencrypt/live/{documented.HOST}/fullchain.pem": str(certificate),
                f"/etc/letsencrypt/live/{documented.HOST}/privkey.pem": str(key),
                f"{documented.SITE}/staticfiles/": f"{static}/",
                "/etc/nginx/snippets/idlewatch.conf": str(directory / "locations.conf"),
                **{f"127.0.0.1:{port} ": f"127.0.0.1:{web} " for port, web in zip(documented.PORTS, webs, strict=True)},
            },
        )
        (directory / "locations.conf").write_text(documented.replaced(locations, edits))
        (directory / "site.conf").write_text(site)
        (directory / "nginx.conf").write_text(
            NGINX.format(directory=directory, mime_types=Path("/etc/nginx/mime.types"))
        )

    @property
    def log(self) -> Path:
        return self.directory / "error.log"

    def statuses(self) -> list[int]:
        """Return the status of every request that was answered."""
        lines = (self.directory / "access.log").read_text().splitlines()
        return [int(line.split('"')[2].split()[0]) for line in lines]

    def start(self) -> None:
        program = shutil.which("nginx", path=SBIN)
        if program is None:
            raise RuntimeError("nginx was not found: run scripts/ensure-servers.")
        command = [program, "-e", "stderr", "-p", str(self.directory), "-c", str(self.directory / "nginx.conf")]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + STARTS_WITHIN
        while not listens(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"nginx did not start:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            # Its workers end with it only where it is asked.
            process.terminate()
            process.wait(STARTS_WITHIN)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@cache
def self_signed() -> tuple[Path, Path]:
    """Return a key and a certificate for the documented host."""
    directory = scratch()
    key, certificate = directory / "privkey.pem", directory / "fullchain.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    about = ["-days", "2", "-subj", f"/CN={documented.HOST}", "-addext", f"subjectAltName=DNS:{documented.HOST}"]
    subprocess.run(
        [*command, *about, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True, cwd="/"
    )
    return key, certificate


@cache
def trusting() -> ssl.SSLContext:
    """Return what a browser of this test's visitors trusts."""
    return ssl.create_default_context(cafile=str(self_signed()[1]))


class Deployment:
    """All of it; `origin` is what a browser calls it."""

    def __init__(self, nginx: Nginx, webs: list[Unit], redis: RedisServer, static: Path) -> None:
        self.nginx = nginx
        self.webs = webs
        self.redis = redis
        self.static = static

    @property
    def host(self) -> str:
        return f"{documented.HOST}:{self.nginx.port}"

    @property
    def origin(self) -> str:
        return f"https://{self.host}"

    @property
    def logs(self) -> str:
        return "".join(web.log.read_text() for web in self.webs)


_DIRECTORIES = tempfile.TemporaryDirectory(prefix="idlewatch-deployment-")


def scratch() -> Path:
    """Return a directory that nginx's worker gets into: pytest's own are root's alone."""
    Path(_DIRECTORIES.name).chmod(0o711)
    directory = Path(tempfile.mkdtemp(dir=_DIRECTORIES.name))
    directory.chmod(0o711)
    return directory


def manage(environ: Mapping[str, str], *words: str) -> None:
    command = documented.command(f"{documented.BIN}/python manage.py")
    done = subprocess.run([*command, *words], cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"manage.py {' '.join(words)} failed:\n{done.stdout}{done.stderr}")


@contextmanager
def nginx_before(deployment: Deployment, edits: Mapping[str, str]) -> Iterator[Deployment]:
    """Put another nginx before the same processes, with something in its locations changed."""
    nginx = Nginx(scratch() / "nginx", [web.port for web in deployment.webs], deployment.static, edits)
    nginx.start()
    try:
        yield Deployment(nginx, deployment.webs, deployment.redis, deployment.static)
    finally:
        nginx.stop()


@contextmanager
def deployed(name: str, **environ: str) -> Iterator[Deployment]:
    """Run the documented deployment on a database of its own."""
    with ExitStack() as stack:
        directory = scratch()
        redis = RedisServer(directory, *documented.redis_options())
        stack.callback(redis.stop)
        redis.start()
        static = directory / "static"
        settings = clean_environment(
            **documented.environment()
            | {
                "DJANGO_SETTINGS_MODULE": "tests.integration.deployment.settings",
                "STATIC_ROOT": str(static),
                "DATABASE_URL": shared_postgres().database(name),
                "REDIS_URL": redis.url,
            }
            | environ
        )
        manage(settings, "migrate", "--verbosity", "0")
        manage(settings, "collectstatic", "--noinput", "--verbosity", "0")
        webs = []
        for number, _ in enumerate(documented.PORTS):
            web = Unit("idlewatch-web@.service", str(free_port()), settings, directory / f"web.{number}.log")
            stack.callback(web.stop)
            web.start()
            webs.append(web)
        nginx = Nginx(directory / "nginx", [web.port for web in webs], static, {})
        stack.callback(nginx.stop)
        nginx.start()
        # A store that is new hears everybody before it ends anybody.
        time.sleep(REPORT_GRACE)
        yield Deployment(nginx, webs, redis, static)
