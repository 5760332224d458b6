"""The servers of a site: one process, or several behind nginx, with what they stand on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.sites.row import Command, Row
from tests.support.postgres_server import PostgresServer
from tests.support.redis_server import RedisServer
from tests.support.serving import ROOT, START_TIMEOUT, Server, clean_environment, find_program

NGINX = """\
daemon off;
pid {directory}/nginx.pid;
error_log stderr notice;
worker_processes 1;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    map $http_upgrade $connection_upgrade {{ default upgrade; "" close; }}
    server {{
        listen 127.0.0.1:{port};
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
{locations}
    }}
}}
"""
LOCATION = """\
        location {prefix}/ws/ {{ proxy_pass http://127.0.0.1:{sockets}; }}
        location {prefix}/ {{ proxy_pass http://127.0.0.1:{web}; }}
"""


class Program(Server):
    """A server of the site, run by `python -m`."""

    def __init__(self, module: Command, environ: Mapping[str, str], log: Path) -> None:
        super().__init__("", environ, log)
        self.environ["SITE_PORT"] = str(self.port)
        self.module = module

    @property
    def command(self) -> list[str]:
        return [self.python, "-m", *(part.format(port=self.port) for part in self.module)]

    def start(self) -> None:
        """Start, and wait until it answers: gunicorn listens long before it can."""
        self.launch(self.command, cwd=self.cwd, env=self.environ, start_new_session=True)
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=START_TIMEOUT)) as connection:
            connection.request("HEAD", "/")
            connection.getresponse()

    def kill(self) -> None:
        """End it without a word, with its workers."""
        process, self.process = self.process, None
        if process is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Front(Server):
    """The nginx that browsers reach."""

    def __init__(self, sites: Mapping[str, tuple[Server, Server]], directory: Path) -> None:
        """`sites`: by their paths, the server of their pages and that of their sockets."""
        super().__init__("", clean_environment(), directory / "nginx.log")
        self.directory = directory
        locations = "".join(
            LOCATION.format(prefix=prefix, web=web.port, sockets=sockets.port)
            for prefix, (web, sockets) in sites.items()
        )
        text = NGINX.format(directory=directory, port=self.port, locations=locations)
        (directory / "nginx.conf").write_text(text)

    @property
    def command(self) -> list[str]:
        path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
        program = find_program("nginx", remedy="run scripts/ensure-servers", path=path)
        return [program, "-e", "stderr", "-p", str(self.directory), "-c", str(self.directory / "nginx.conf")]


@dataclass
class Site:
    """A row that is served."""

    row: Row
    front: Server
    """What browsers reach."""
    programs: list[Program]
    """The site's own processes."""
    prepared: dict[str, Any]
    """What the checks and the migrations said."""

    @property
    def log(self) -> str:
        return "\n".join(program.log.read_text() for program in self.programs)

    def stop(self) -> None:
        for program in self.programs:
            program.stop()

    def start(self) -> None:
        for program in self.programs:
            program.start()


def environment(row: Row, directory: Path, prefix: str | None = None) -> dict[str, str]:
    """Return the environment of a site's processes."""
    own = {"SITE": row.name, "SITE_DIRECTORY": str(directory), "PYTHONPATH": str(ROOT)}
    own["SITE_PREFIX"] = row.prefix if prefix is None else prefix
    return clean_environment(DJANGO_SETTINGS_MODULE="tests.sites.settings", **own, **row.environ)


@contextmanager
def served(row: Row, directory: Path) -> Iterator[Site]:
    """Make the site's database, and serve it."""
    environ = environment(row, directory)
    with ExitStack() as stack:
        if row.redis:
            redis = RedisServer(directory)
            stack.callback(redis.stop)
            redis.start()
            environ["SITE_REDIS"] = redis.url
        if row.database == "mariadb":
            from tests.sites.mariadb import database

            environ["SITE_DATABASE"] = stack.enter_context(database())
        if row.database == "postgresql":
            postgres = PostgresServer()
            stack.callback(postgres.remove)
            postgres.start()
            postgres.database("site")
            environ["SITE_DATABASE"] = str(postgres.port)
        prepared = prepare(environ)
        modules = [row.server, *([row.sockets] if row.sockets else [])]
        programs = [Program(each, environ, directory / f"server{number}.log") for number, each in enumerate(modules)]
        sites: dict[str, tuple[Server, Server]] = {row.prefix: (programs[0], programs[-1])}
        if row.neighbour:
            (directory / "neighbour").mkdir()
            other = environment(row, directory / "neighbour", row.neighbour)
            prepare(other)
            programs.append(Program(row.server, other, directory / "neighbour.log"))
            sites[row.neighbour] = (programs[-1], programs[-1])
        for program in programs:
            stack.callback(program.stop)
            program.start()
        front: Server = programs[0]
        if row.sockets or row.prefix:
            # nginx's worker is another user where its master is root.
            directory.chmod(0o711)
            front = Front(sites, directory)
            stack.callback(front.stop)
            front.start()
        yield Site(row, front, programs, prepared)


def prepare(environ: Mapping[str, str]) -> dict[str, Any]:
    """Fill the site's database; return what the checks and the migrations said."""
    command = [sys.executable, "-m", "tests.sites.prepare"]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"The site could not be prepared:\n{done.stdout}{done.stderr}")
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said
