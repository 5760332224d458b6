"""What docs/deployment/ tells an operator to install, with the paths and ports of a test in place of the documented."""

from __future__ import annotations

import shlex
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from tests.support.serving import ROOT

DOCUMENTED = ROOT / "docs" / "deployment"
SITE = "/srv/idlewatch"
BIN = f"{SITE}/.venv/bin"
HOST = "idlewatch.example"
PORTS = (8001, 8002)


def text(name: str) -> str:
    return (DOCUMENTED / name).read_text()


def replaced(source: str, replacements: Mapping[str, str]) -> str:
    """Put in what is given; what is not there is a mistake."""
    for documented, given in replacements.items():
        if documented not in source:
            raise ValueError(f"{documented!r} is not in the documented text; expected it there:\n{source}")
        source = source.replace(documented, given)
    return source


def environment() -> dict[str, str]:
    lines = [line for line in text("idlewatch.env").splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def redis_options() -> list[str]:
    lines = [line for line in text("redis.conf").splitlines() if line and not line.startswith("#")]
    return [word for line in lines for word in shlex.split(f"--{line}")]


def unit(name: str) -> dict[str, list[str]]:
    """Return the values of a unit's keys: a key may stand there more than once."""
    found = defaultdict(list)
    for line in text(name).splitlines():
        if line and line[0] not in "#[":
            key, value = line.split("=", 1)
            found[key].append(value)
    return found


def command(line: str, instance: str = "") -> list[str]:
    """Return the words of an `Exec…=` line, with the tests' own Python."""
    return shlex.split(line.replace(BIN, str(Path(sys.executable).parent)).replace("%i", instance))
