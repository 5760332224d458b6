"""The ways that only users of some packages go."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.sites.rows import named
from tests.sites.scenarios import SCENARIOS
from tests.sites.serving import environment, prepare
from tests.support.serving import ROOT


@pytest.mark.packages
@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str, tmp_path: Path) -> None:
    environ = environment(named(SCENARIOS[name][0]), tmp_path)
    assert prepare(environ) == {"checks": [], "warned": []}
    command = [sys.executable, "-m", "tests.sites.scenarios", name]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
