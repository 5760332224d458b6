"""The Procfile under honcho, and the whole of it by one command."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.integration.deployment.site import listens
from tests.support.postgres_server import shared_postgres
from tests.support.redis_server import redis_url
from tests.support.serving import ROOT, clean_environment, free_port

STARTS_WITHIN = 60.0
STOPS_WITHIN = 40.0
BIN = Path(sys.executable).parent


@contextmanager
def running(command: list[str], log: Path, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command until the test is over; it ends what it started where it is asked to."""
    environ = {"PATH": f"{BIN}:{os.environ['PATH']}"} | environ
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=clean_environment(**environ),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(STOPS_WITHIN)


def wait_for(port: int, log: Path, path: str = "/readyz") -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while True:
        try:
            urlopen(f"http://127.0.0.1:{port}{path}", timeout=5).close()
        except (OSError, HTTPException):
            assert time.monotonic() < deadline, log.read_text()[-4000:]
            time.sleep(0.2)
        else:
            return


def children(pid: int) -> set[int]:
    """Return the processes that one has started, and those that these have."""
    found = {int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    return found.union(*(children(each) for each in found))


def alive(pids: set[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_honcho_runs_two_web_processes_and_a_timer_each_web_process_on_a_port_of_its_own(tmp_path: Path):
    first = next(port for port in iter(free_port, None) if not listens(port + 1))
    log = tmp_path / "honcho.log"
    environ = {
        "DEBUG": "1",
        "BIND": "127.0.0.1",
        "DATABASE_URL": shared_postgres().database("honcho"),
        "REDIS_URL": redis_url(),
    }
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=ROOT,
        env=clean_environment(**environ),
        check=True,
    )
    command = ["honcho", "start", "--port", str(first), "--concurrency", "web=2,timer=1", "web", "timer"]
    with running(command, log, **environ) as honcho:
        for port in (first, first + 1):
            wait_for(port, log)
        family = children(honcho.pid)
        assert sorted(re.findall(r"\| (\w+\.\d) started", log.read_text())) == ["timer.1", "web.1", "web.2"]
        honcho.terminate()
        honcho.wait(STOPS_WITHIN)
        assert alive(family) == []
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_command_serves_the_demo_at_one_address_and_leaves_nothing(tmp_path: Path, how: signal.Signals):
    port, log, temporary = free_port(), tmp_path / "serve.log", tmp_path / "tmp"
    temporary.mkdir()
    tmp_path.chmod(0o711)
    with running(["scripts/serve"], log, PORT=str(port), WEB_PROCESSES="2", TMPDIR=str(temporary)) as serve:
        deadline = time.monotonic() + STARTS_WITHIN
        while f"Serving http://127.0.0.1:{port}/" not in log.read_text():
            assert serve.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        with urlopen(f"http://127.0.0.1:{port}/accounts/login/", timeout=10) as page:
            assert b"demo" in page.read()
        served_by = set()
        while len(served_by) < 2:
            assert time.monotonic() < deadline
            urlopen(f"http://127.0.0.1:{port}/accounts/login/", timeout=10).close()
            served_by = set(re.findall(r'(web\.\d) +\| .*"GET /accounts/login/', log.read_text()))
        family = children(serve.pid)
        assert list(temporary.iterdir()) != []
        serve.send_signal(how)
        serve.wait(STOPS_WITHIN)
        assert alive(family) == []
    assert list(temporary.iterdir()) == []
    assert not listens(port)
    assert "Traceback" not in log.read_text()


def test_it_says_so_and_leaves_nothing_where_the_port_is_taken(tmp_path: Path):
    log, temporary = tmp_path / "serve.log", tmp_path / "tmp"
    temporary.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running(["scripts/serve"], log, PORT=str(port), TMPDIR=str(temporary)) as serve:
            assert serve.wait(STARTS_WITHIN) == 1
    assert "Address already in use" in log.read_text()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("name", ["redis-server", "nginx"])
def test_without_root_what_is_missing_is_named(tmp_path: Path, name: str):
    (tmp_path / "bash").symlink_to("/bin/bash")
    (tmp_path / "id").write_text("#!/bin/bash\necho 1000\n")
    (tmp_path / "id").chmod(0o755)
    script = (ROOT / "scripts" / "ensure-servers").read_text().replace('PATH="$PATH:/usr/sbin:/usr/local/sbin"', "")
    done = subprocess.run(
        ["/bin/bash", "-c", script, "ensure-servers", name, "bash"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"apt-get install {name})" in done.stderr
