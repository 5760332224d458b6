"""The systemd units, as far as they can be tried without systemd as the first process."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import redis

from idlewatch.asgi import CANCEL_TIMEOUT, DRAIN_TIMEOUT, SHUTDOWN_TIMEOUT
from tests.integration.deployment import documented
from tests.integration.deployment.site import Deployment
from tests.support.serving import ROOT, STOP_TIMEOUT

NAMES = sorted(path.name for path in documented.DOCUMENTED.iterdir() if path.suffix in {".service", ".target"})
PAGE = (ROOT / "docs" / "deployment.md").read_text()


def test_there_is_a_target_for_web_processes_and_a_timer():
    assert NAMES == ["idlewatch-timer.service", "idlewatch-web@.service", "idlewatch.target"]
    wanted = documented.unit("idlewatch.target")["Wants"][0].split()
    assert wanted == [*(f"idlewatch-web@{port}.service" for port in documented.PORTS), "idlewatch-timer.service"]
    for unit in wanted:
        assert f"systemctl restart {unit}" in PAGE


def test_systemd_finds_nothing_wrong_with_them(tmp_path: Path):
    for name in NAMES:
        # It looks for the programs, too.
        source = documented.text(name).replace(documented.SITE, str(ROOT))
        (tmp_path / name.replace("@", "@8001")).write_text(source)
        assert documented.unit(name)["Description"]
    if shutil.which("systemd-analyze") is not None:
        command = ["systemd-analyze", "verify", "--man=no", *map(str, tmp_path.iterdir())]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        complaints = [line for line in done.stderr.splitlines() if "idlewatch" in line]
        assert (done.returncode, complaints) == (0, []), done.stderr


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".service")])
def test_a_process_is_asked_to_end_and_has_time_to_send_its_tabs_away(name: str):
    unit = documented.unit(name)
    assert unit["KillSignal"] == ["SIGTERM"]
    # As long as the tests give it.
    assert float(unit["TimeoutStopSec"][0]) == STOP_TIMEOUT
    assert STOP_TIMEOUT > SHUTDOWN_TIMEOUT + DRAIN_TIMEOUT + CANCEL_TIMEOUT + 5


def test_the_timer_works_beside_the_web_processes_and_ends_when_it_is_asked(deployment: Deployment, tmp_path: Path):
    command = documented.command(documented.unit("idlewatch-timer.service")["ExecStart"][0])
    with (tmp_path / "timer.log").open("w+") as log:
        timer = subprocess.Popen(command, cwd=ROOT, env=deployment.webs[0].environ, stdout=log, stderr=log)
        with pytest.raises(subprocess.TimeoutExpired):
            timer.wait(3)
        timer.terminate()
        # systemd takes either for a clean end.
        assert timer.wait(STOP_TIMEOUT) in {0, -signal.SIGTERM}
        log.seek(0)
        assert "Traceback" not in log.read()


def test_redis_keeps_what_it_was_given(deployment: Deployment):
    with redis.Redis.from_url(deployment.redis.url, decode_responses=True) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("appendonly") == {"appendonly": "yes"}


def test_the_page_names_every_file_and_no_other():
    named = set(re.findall(r"\(deployment/([^)]+)\)", PAGE))
    assert named == {path.name for path in documented.DOCUMENTED.iterdir()}
