"""The Procfile under honcho, and the whole of it by one command."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.integration.site import until
from tests.support.postgres_server import shared_postgres
from tests.support.redis_server import redis_url
from tests.support.serving import ROOT, Server, clean_environment, free_port

START_TIMEOUT = 60.0
STOP_TIMEOUT = 40.0


@contextmanager
def running(command: list[str], log: Path, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command until the test is over; it ends what it started where it is asked to."""
    environ = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"} | environ
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=clean_environment(**environ), stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(STOP_TIMEOUT)


def answers(port: int, path: str) -> str:
    """Return what a page holds, nothing where no one answers."""
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as page:
            return page.read().decode()
    except (OSError, HTTPException):
        return ""


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def children(pid: int) -> set[int]:
    """Return the processes that one has started, and those that these have."""
    found = {int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    return found.union(*(children(each) for each in found))


def alive(pids: set[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_honcho_runs_two_web_processes_and_a_timer_each_web_process_on_a_port_of_its_own(tmp_path: Path):
    first = next(port for port in iter(free_port, None) if is_free(port + 1))
    log = tmp_path / "honcho.log"
    database = shared_postgres().database("honcho")
    environ = {"DEBUG": "1", "BIND": "127.0.0.1", "DATABASE_URL": database, "REDIS_URL": redis_url()}
    Server("", clean_environment(**environ), log).manage("migrate", "--verbosity", "0")
    command = ["honcho", "start", "--port", str(first), "--concurrency", "web=2,timer=1", "web", "timer"]
    with running(command, log, **environ) as honcho:
        for port in (first, first + 1):
            until(lambda: answers(port, "/readyz"), START_TIMEOUT)  # noqa: B023
        family = children(honcho.pid)
        assert sorted(re.findall(r"\| (\w+\.\d) started", log.read_text())) == ["timer.1", "web.1", "web.2"]
        honcho.terminate()
        honcho.wait(STOP_TIMEOUT)
        assert alive(family) == []
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_command_serves_the_demo_at_one_address_and_leaves_nothing(tmp_path: Path, how: signal.Signals):
    port, log, temporary = free_port(), tmp_path / "serve.log", tmp_path / "tmp"
    temporary.mkdir()
    tmp_path.chmod(0o711)
    with running(["scripts/serve"], log, PORT=str(port), WEB_PROCESSES="2", TMPDIR=str(temporary)) as serve:
        until(lambda: f"Serving http://127.0.0.1:{port}/" in log.read_text(), START_TIMEOUT)
        served_by: set[str] = set()
        while len(served_by) < 2:
            assert "demo" in answers(port, "/accounts/login/")
            served_by = set(re.findall(r'(web\.\d) +\| .*"GET /accounts/login/', log.read_text()))
        family = children(serve.pid)
        assert list(temporary.iterdir()) != []
        serve.send_signal(how)
        serve.wait(STOP_TIMEOUT)
        assert alive(family) == []
    assert list(temporary.iterdir()) == []
    assert is_free(port)
    assert "Traceback" not in log.read_text()


def test_it_says_so_and_leaves_nothing_where_the_port_is_taken(tmp_path: Path):
    log, temporary = tmp_path / "serve.log", tmp_path / "tmp"
    temporary.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running(["scripts/serve"], log, PORT=str(port), TMPDIR=str(temporary)) as serve:
            assert serve.wait(START_TIMEOUT) == 1
    assert "Address already in use" in log.read_text()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("name", ["redis-server", "nginx"])
def test_without_root_what_is_missing_is_named(tmp_path: Path, name: str):
    (tmp_path / "bash").symlink_to("/bin/bash")
    (tmp_path / "id").write_text("#!/bin/bash\necho 1000\n")
    (tmp_path / "id").chmod(0o755)
    script = (ROOT / "scripts" / "ensure-servers").read_text().replace('PATH="$PATH:/usr/sbin:/usr/local/sbin"', "")
    command = ["/bin/bash", "-c", script, "ensure-servers", name, "bash"]
    done = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"apt-get install {name})" in done.stderr
