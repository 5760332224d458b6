"""The doctor on right sites with each of Django's session engines: it finds nothing wrong, and leaves nothing."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.http import ENGINES
from tests.support.serving import ROOT, demo

TIMEOUT = 150.0
AT_ONCE = 2


def examine(engine: str, directory: Path) -> Mapping[str, str]:
    """Return what the doctor finds wrong or does not try on a site with this engine, and what is left of its probes."""
    directory.mkdir()
    kept = directory / "kept"
    kept.mkdir()
    environ = {"DJANGO_SETTINGS_MODULE": "tests.integration.doctor.engine_settings", "ENGINE": engine}
    with demo(directory, DIRECTORY=str(kept), **environ) as server:
        command = [
            sys.executable,
            "manage.py",
            "idlewatch",
            "doctor",
            "--url",
            server.url(),
            "--user",
            "demo",
            "--json",
        ]
        done = subprocess.run(
            command, cwd=ROOT, env=server.environ, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
        findings = json.loads(done.stdout)["findings"]
    with closing(sqlite3.connect(directory / "db.sqlite3")) as database:
        records = "SELECT count(*) FROM idlewatch_watchedsession WHERE ended IS NULL"
        left = [database.execute(query).fetchone()[0] for query in (records, "SELECT count(*) FROM django_session")]
    found = {each["trial"]: each["came"] for each in findings if each["outcome"] == "fault"}
    tried = {each["trial"] for each in findings if each["outcome"] == "ok"}
    assert {"tab", "activity", "fallback", "warning", "extension", "end"} <= tried | found.keys(), engine
    return found | ({"left": str(left)} if any(left) else {}) | {str(path): "" for path in kept.glob("sessionid*")}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, str]]:
    directory = tmp_path_factory.mktemp("engines")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(ENGINES, pool.map(lambda engine: examine(engine, directory / engine), ENGINES), strict=True))


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_is_wrong_and_nothing_is_left(found: Mapping[str, Mapping[str, str]], engine: str):
    assert found[engine] == {}
