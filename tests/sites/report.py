"""What a run saw: for each site the steps that passed, the versions and the seconds; and the table of all in the docs.

`python -m tests.sites.report` writes docs/sites.md from what the runs left in `build/sites/`.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from tests.sites.row import Row
from tests.support.serving import ROOT

RESULTS = ROOT / "build" / "sites"
PAGE = ROOT / "docs" / "sites.md"
TABLE = re.compile(r"<!-- written by tests/sites/report.py -->\n.*?\n<!-- end -->", re.DOTALL)


class Report:
    """What one site's run saw."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.steps: dict[str, str] = {}
        self.started = time.monotonic()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Note whether a step passes; one that failed for another visitor stays so."""
        try:
            yield
        except BaseException:
            self.steps[name] = "✗"
            raise
        self.steps.setdefault(name, "✓")

    def note(self, name: str, said: str) -> None:
        self.steps[name] = said

    def write(self, prepared: dict[str, Any]) -> None:
        RESULTS.mkdir(parents=True, exist_ok=True)
        distributions = dict.fromkeys(("django", *self.row.shows, *self.row.packages))
        result = {
            "steps": self.steps,
            "seconds": round(time.monotonic() - self.started, 1),
            "versions": {name: version(name) for name in distributions},
            "checks": list(dict.fromkeys(each.split(":")[0].removeprefix("idlewatch.") for each in prepared["checks"])),
        }
        (RESULTS / f"{self.row.slug}.json").write_text(json.dumps(result, ensure_ascii=False))


def table(rows: list[Row], columns: tuple[str, ...]) -> str:
    """Return the table of the rows whose results are here, or what the page says of them already."""
    lines = [f"| site | {' | '.join(columns)} | checks | seconds | versions |", "|---" * (len(columns) + 4) + "|"]
    known = {line.split(" | ")[0]: line for line in PAGE.read_text().splitlines() if line.startswith("| ")}
    for row in rows:
        path = RESULTS / f"{row.slug}.json"
        if not path.exists():
            lines.append(known.get(f"| {row.name}", f"| {row.name} |{' |' * (len(columns) + 3)}"))
            continue
        result = json.loads(path.read_text())
        cells = [result["steps"].get(column, "") for column in columns]
        versions = ", ".join(f"{key} {value}" for key, value in result["versions"].items())
        cells += [", ".join(result["checks"]), f"{result['seconds']:.0f}", versions]
        lines.append(f"| {row.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Write the tables into the page."""
    from tests.sites.journey import STEPS
    from tests.sites.outages import OUTAGES
    from tests.sites.rows import ROWS

    sites = table([row for row in ROWS if not row.outages], tuple(STEPS))
    servers = table([row for row in ROWS if row.outages], (*STEPS, *OUTAGES))
    tables = iter((sites, servers))
    PAGE.write_text(
        TABLE.sub(
            lambda _: f"<!-- written by tests/sites/report.py -->\n\n{next(tables)}\n\n<!-- end -->", PAGE.read_text()
        )
    )
    shutil.rmtree(RESULTS, ignore_errors=True)


if __name__ == "__main__":
    main()
