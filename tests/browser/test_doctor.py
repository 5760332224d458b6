"""`manage.py idlewatch doctor --browser`: it drives a Chromium through a session, and saves pictures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from idlewatch.doctor.browsers.browser_journey import PICTURES
from tests.browser.visits import end_reason
from tests.support.browsing import executable
from tests.support.serving import ROOT, Server

pytestmark = [pytest.mark.server, pytest.mark.browser]

COMMAND = [sys.executable, "manage.py", "idlewatch", "doctor"]

Findings = dict[str, dict[str, Any]]


def examine(site: Server, pictures: Path, *options: str) -> Findings:
    """Run the doctor; return what it found in the browser, by trial."""
    browser = ["--browser", str(pictures), "--chromium", executable()]
    done = subprocess.run(
        [*COMMAND, "--url", site.origin, "--user", "demo", "--json", *browser, *options],
        cwd=ROOT,
        env=site.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    findings = json.loads(done.stdout)["findings"]
    return {finding["trial"]: finding for finding in findings if finding["section"] == "browser"}


def is_left(group: int) -> bool:
    """Return whether a process of a group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def outcomes(findings: Findings) -> dict[str, str]:
    return {trial: finding["outcome"] for trial, finding in findings.items()}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pictures")
    (directory / "2-warning.png").write_text("of an earlier run")
    (directory / "holiday.png").write_text("of something else")
    return directory


@pytest.fixture(scope="module")
def found(site: Server, pictures: Path) -> Findings:
    return examine(site, pictures)


def test_the_session_is_warned_extended_and_ended_and_nothing_is_wrong(found: Findings):
    expected = [
        "browser",
        *(f"browser-{name}" for name in ("client", "errors", "warning", "extension", "end", "login")),
    ]
    assert outcomes(found) == dict.fromkeys(expected, "ok")
    assert found["browser-client"]["came"].startswith("runs, connected by a socket")
    assert found["browser-login"]["came"] == "/accounts/login/, with the reason"


def test_each_stage_is_seen_in_a_picture_and_no_other_file_is_touched(found: Findings, pictures: Path):
    names = [f"{number}-{name}.png" for number, name in enumerate(PICTURES, 1)]
    assert sorted(path.name for path in pictures.iterdir()) == [*names, "holiday.png"]
    assert (pictures / "holiday.png").read_text() == "of something else"
    shown = [Image.open(pictures / name).convert("RGB") for name in names]
    assert all(len(image.getcolors(2**24) or ()) > 20 for image in shown), "a picture is blank"
    signed_in, warned, _, _, ended, login = (image.resize((64, 36)).tobytes() for image in shown)
    assert len({signed_in, warned, ended, login}) == 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_browser_and_the_probe(site: Server, tmp_path: Path, number: signal.Signals):
    command = [*COMMAND, "--url", site.origin, "--user", "demo", "--browser", str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, env=site.environ, stdout=-1, stderr=-1, text=True, start_new_session=True
    ) as doctor:
        assert doctor.stdout is not None
        assert doctor.stderr is not None
        try:
            assert any("#browser-errors" in line for line in doctor.stdout)
            # A terminal sends it to the browser, too.
            os.killpg(doctor.pid, number)
            said = doctor.stderr.read()
            assert doctor.wait(20) == 128 + number
            assert said.splitlines()[-1] == "CommandError: Stopped. The probes that were begun have been ended."
            deadline = time.monotonic() + 10
            while is_left(doctor.pid) and time.monotonic() < deadline:
                time.sleep(0.1)
            assert not is_left(doctor.pid)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(doctor.pid, signal.SIGKILL)
    assert end_reason(site) == "logout"


def test_a_page_without_the_client_is_a_fault(site: Server, tmp_path: Path):
    found = examine(site, tmp_path, "--path", "/healthz")
    assert outcomes(found) == {"browser": "ok", "browser-client": "fault", "browser-errors": "ok"}
    assert found["browser-client"]["came"] == "200 at /healthz, without the client"
    assert [path.name for path in tmp_path.iterdir()] == ["1-signed-in.png"]


def test_a_policy_that_blocks_the_script_is_named(site: Server, tmp_path: Path):
    found = examine(site, tmp_path, "--path", "/blocked/")
    assert outcomes(found) == {"browser": "ok", "browser-client": "fault", "browser-errors": "fault"}
    assert found["browser-client"]["came"] == "is in the page, and does not run"
    assert "idlewatch.min.js" in found["browser-errors"]["came"]
    assert "Content Security Policy" in found["browser-errors"]["came"]
