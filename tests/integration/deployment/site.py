"""The documented deployment for real: PostgreSQL, Redis, web processes by their units, and nginx with TLS."""

from __future__ import annotations

import os
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from secrets import token_hex
from typing import NamedTuple

from idlewatch.monitor.outage import REPORT_GRACE
from tests.integration.deployment import documented
from tests.support.postgres_server import shared_postgres
from tests.support.redis_server import RedisServer
from tests.support.serving import Server, clean_environment, find_program, free_port

NGINX = """\
daemon off;
pid {directory}/nginx.pid;
error_log stderr notice;
worker_processes 2;
events {{}}
http {{
    include /etc/nginx/mime.types;
    access_log {directory}/access.log;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include {directory}/site.conf;
}}
"""


class Unit(Server):
    """A web process as its systemd unit has it."""

    def __init__(self, environ: Mapping[str, str], log: Path) -> None:
        super().__init__("", environ, log)
        self.unit = documented.unit("idlewatch-web@.service")

    @property
    def command(self) -> list[str]:
        return documented.command(self.unit["ExecStart"][0], str(self.port))

    def start(self) -> None:
        """Run `ExecStart`, and what has to succeed before the unit counts as started."""
        super().start()
        for line in self.unit["ExecStartPost"]:
            subprocess.run(documented.command(line, str(self.port)), check=True)


class NginxProcess(Server):
    """An nginx that serves one site."""

    def __init__(self, directory: Path) -> None:
        super().__init__("", clean_environment(), directory / "error.log")
        self.directory = directory

    def configure(self, site: str) -> None:
        (self.directory / "site.conf").write_text(site)
        (self.directory / "nginx.conf").write_text(NGINX.format(directory=self.directory))

    @property
    def command(self) -> list[str]:
        path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
        program = find_program("nginx", remedy="run scripts/ensure-servers", path=path)
        return [program, "-e", "stderr", "-p", str(self.directory), "-c", str(self.directory / "nginx.conf")]


class Nginx(NginxProcess):
    """The documented nginx before the web processes; `origin` is what a browser calls it."""

    def __init__(
        self,
        directory: Path,
        webs: Sequence[Server],
        static: Path,
        host: str = documented.HOST,
        changes: Mapping[str, str] | None = None,
    ) -> None:
        """`changes`: texts of the documented files, and what stands there instead."""
        super().__init__(directory)
        self.plain_port = free_port()
        self.name = host
        key, certificate = self_signed(host)
        site, locations = documented.text("nginx.conf"), documented.text("locations.conf")
        for before, after in (changes or {}).items():
            if before in locations:
                locations = locations.replace(before, after)
            else:
                site = documented.replaced(site, {before: after})
        (directory / "locations.conf").write_text(locations)
        site = documented.replaced(
            site,
            {
                "listen 80;": f"listen 127.0.0.1:{self.plain_port};",
                "listen 443 ssl;": f"listen 127.0.0.1:{self.port} ssl;",
                f"/etc/letsencrypt/live/{documented.HOST}/fullchain.pem": str(certificate),
                f"/etc/letsencrypt/live/{documented.HOST}/privkey.pem": str(key),
                f"{documented.SITE}/staticfiles/": f"{static}/",
                "/etc/nginx/snippets/idlewatch.conf": str(directory / "locations.conf"),
                **{
                    f"127.0.0.1:{port} ": f"127.0.0.1:{web.port} "
                    for port, web in zip(documented.PORTS, webs, strict=False)
                },
            },
        )
        self.configure(site.replace(documented.HOST, host))

    @property
    def host(self) -> str:
        return f"{self.name}:{self.port}"

    @property
    def origin(self) -> str:
        return f"https://{self.host}"

    def socket_url(self, path: str = "/ws/idlewatch/tab/") -> str:
        return f"wss://{self.host}{path}"


@cache
def self_signed(host: str) -> tuple[Path, Path]:
    """Return a key and a certificate for a host."""
    directory = scratch()
    key, certificate = directory / "privkey.pem", directory / "fullchain.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    about = ["-days", "2", "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *about, *files], check=True, capture_output=True, cwd="/")
    return key, certificate


@cache
def trusting() -> ssl.SSLContext:
    """Return what a browser of this test's visitors trusts."""
    return ssl.create_default_context(cafile=str(self_signed(documented.HOST)[1]))


class Deployment(NamedTuple):
    nginx: Nginx
    webs: list[Unit]
    redis: RedisServer
    static: Path

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


@contextmanager
def deployed() -> Iterator[Deployment]:
    """Run the documented deployment on a database of its own."""
    with ExitStack() as stack:
        directory = scratch()
        redis = RedisServer(directory, *documented.redis_options())
        stack.callback(redis.stop)
        redis.start()
        static = directory / "static"
        environ = documented.environment() | {
            "DJANGO_SETTINGS_MODULE": "tests.integration.deployment.settings",
            "STATIC_ROOT": str(static),
            "DATABASE_URL": shared_postgres().database(f"deployed_{token_hex(4)}"),
            "REDIS_URL": redis.url,
        }
        webs = [Unit(clean_environment(**environ), directory / f"web.{port}.log") for port in documented.PORTS]
        webs[0].manage("migrate", "--verbosity", "0")
        webs[0].manage("collectstatic", "--noinput", "--verbosity", "0")
        for server in (*webs, nginx := Nginx(scratch(), webs, static)):
            stack.callback(server.stop)
            server.start()
        # A new store waits for the reports of all processes before it ends any session.
        time.sleep(REPORT_GRACE)
        yield Deployment(nginx, webs, redis, static)
