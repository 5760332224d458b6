"""`manage.py idlewatch doctor --browser`: it drives a Chromium through a session, and saves pictures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from idlewatch.doctor.browser_journey import PICTURES
from tests.support.browsing import executable
from tests.support.serving import ROOT, Server

pytestmark = [pytest.mark.server, pytest.mark.browser]

Findings = dict[str, dict[str, Any]]


def examine(site: Server, pictures: Path, *options: str) -> Findings:
    """Run the doctor; return what it found in the browser, by trial."""
    command = ["manage.py", "idlewatch", "doctor", "--json", "--url", site.origin, "--user", "demo"]
    browser = ["--browser", str(pictures), "--chromium", executable()]
    done = subprocess.run(
        [sys.executable, *command, *browser, *options],
        cwd=ROOT,
        env=site.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    findings = json.loads(done.stdout)["findings"]
    return {finding["trial"]: finding for finding in findings if finding["section"] == "browser"}


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
