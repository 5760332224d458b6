"""The systemd units, as far as they can be tried without systemd as the first process."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import redis

from idlewatch.asgi import CANCEL_TIMEOUT, DRAIN_TIMEOUT, SHUTDOWN_TIMEOUT
from tests.integration.deployment import documented
from tests.integration.deployment.site import Deployment, Unit, scratch
from tests.support.serving import ROOT

NAMES = sorted(path.name for path in documented.DOCUMENTED.iterdir() if path.suffix in {".service", ".target"})
PAGE = (ROOT / "docs" / "deployment.md").read_text()


def test_there_is_a_target_for_web_processes_and_a_timer():
    assert NAMES == ["idlewatch-timer.service", "idlewatch-web@.service", "idlewatch.target"]
    wanted = documented.unit("idlewatch.target")["Wants"][0].split()
    webs = [f"idlewatch-web@{port}.service" for port in documented.PORTS]
    assert wanted == [*webs, "idlewatch-timer.service"]
    for unit in (*webs, "idlewatch-timer.service"):
        assert f"systemctl restart {unit}" in PAGE


def test_systemd_finds_nothing_wrong_with_them(tmp_path: Path):
    for name in NAMES:
        # It looks for the programs, too.
        source = documented.text(name).replace(documented.SITE, str(ROOT))
        (tmp_path / name).write_text(source)
    if shutil.which("systemd-analyze") is None:
        for name in NAMES:
            assert documented.unit(name)["Description"]
        return
    paths = [str(tmp_path / name.replace("@", "@8001")) for name in NAMES]
    shutil.copy(tmp_path / "idlewatch-web@.service", tmp_path / "idlewatch-web@8001.service")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *paths], capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if "idlewatch" in line]
    assert (done.returncode, complaints) == (0, []), done.stderr


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".service")])
def test_a_process_has_time_to_send_its_tabs_away(name: str):
    assert float(documented.unit(name)["TimeoutStopSec"][0]) > SHUTDOWN_TIMEOUT + DRAIN_TIMEOUT + CANCEL_TIMEOUT + 5


def test_the_timer_works_beside_the_web_processes_and_ends_when_it_is_asked(deployment: Deployment):
    timer = Unit("idlewatch-timer.service", "", deployment.webs[0].environ, scratch() / "timer.log")
    timer.start()
    assert timer.process is not None
    try:
        time.sleep(3)
        assert timer.process.poll() is None, timer.log.read_text()
    finally:
        code = timer.stop()
    # systemd takes either for a clean end.
    assert code in {0, -signal.SIGTERM}
    assert "Traceback" not in timer.log.read_text()


def test_redis_keeps_what_it_was_given(deployment: Deployment):
    with redis.Redis.from_url(deployment.redis.url, decode_responses=True) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("appendonly") == {"appendonly": "yes"}


def test_the_page_names_every_file_and_no_other():
    named = set(re.findall(r"\(deployment/([^)]+)\)", PAGE))
    assert named == {path.name for path in documented.DOCUMENTED.iterdir()}
