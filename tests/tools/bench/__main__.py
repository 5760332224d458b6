"""Measure idlewatch beside the floor of its own stack and beside its peers: `make bench`, in 90 minutes at most.

It writes `docs/benchmarks.md`, its pictures and `docs/benchmarks.json`; where rows are left out, or the tabs are
others, into `build/bench/` instead. Environment:

- `QUICK=1`: 1,000 tabs in place of 10,000, in less than five minutes; a goal is judged only where it holds at that
  size.
- `ROWS=1,2`: only these rows. `TABS`: another number of tabs.
- `CHECK=1`: print which goals fall short.
- `PROFILE=1`: take profiles in a quick run, too; `PROFILE=0`: take none.

The exit status is 1 where `CHECK=1` and a goal falls short or could not be measured, and 2 where a variable has a value
that cannot be used, the machine has fewer than two cores, no process may be profiled, or the page can't be written.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from tests.support.redis_server import RedisServer
from tests.support.serving import ROOT
from tests.tools.bench import charts, machine, profiler
from tests.tools.bench.options import OptionError, Options, options, require_writable
from tests.tools.bench.profiles import Profiles
from tests.tools.bench.report import Report, goal_table, shortfalls
from tests.tools.bench.rows.heartbeats import TABS as HEARTBEAT_TABS
from tests.tools.bench.samples import Samples
from tests.tools.bench.scenarios import SCENARIOS
from tests.tools.bench.servers import Run
from tests.tools.bench.sessions import make_sessions

SPARE_FILES = 500
"""Open files beside the tabs."""
VARIANTS = 5
"""Variants whose tabs are open at once."""


def main() -> int:
    """Do what the environment asks for; return the exit status."""
    machine.unwind_when_terminated()
    try:
        asked = options(os.environ)
        _require_machine(asked)
        require_writable(_page_of(asked))
        if asked.profile:
            profiler.require()
    except (OptionError, profiler.ProfilerError) as error:
        print(error, file=sys.stderr)
        return 2
    report = _measure(asked)
    _write(report, asked)
    print(goal_table(report.verdicts))
    if not asked.check:
        return 0
    short = shortfalls(report.verdicts, asked.rows)
    print("\n".join(["", *(short or ["No goal that was judged falls short."])]))
    return 1 if short else 0


def _require_machine(asked: Options) -> None:
    if not {machine.SERVER_CORE, machine.LOAD_CORE} <= os.sched_getaffinity(0):
        raise OptionError(f"This process may use the cores {os.sched_getaffinity(0)}; expected 0 and 1 among them.")
    at_once = 1 if asked.has_many_tabs else VARIANTS
    needed = max(asked.tabs * at_once, HEARTBEAT_TABS * VARIANTS) + SPARE_FILES
    if not machine.allow_many_files(needed):
        raise OptionError(f"This process may not open {needed} files, as TABS={asked.tabs} needs; see `ulimit -Hn`.")


def _measure(asked: Options) -> Report:
    # Redis is started from here, and inherits the core.
    os.sched_setaffinity(0, {machine.LOAD_CORE})
    began, samples, profiles, noise = time.monotonic(), Samples(), Profiles(), dict[str, machine.CoreUse]()
    with tempfile.TemporaryDirectory(prefix="idlewatch-bench-") as root:
        directory = Path(root)
        redis = RedisServer(directory)
        try:
            redis.start()
            run = Run(asked, directory, redis, make_sessions(directory, asked.tabs), samples, profiles)
            for name, rows, measure in SCENARIOS:
                if not asked.rows.isdisjoint(rows):
                    label = f"{', '.join(row for row in rows if row in asked.rows)} ({name})"
                    print(f"Rows {label}, after {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
                    with machine.observed_core() as noise[label]:
                        _run(measure(run), label)
        finally:
            redis.stop()
    minutes = (time.monotonic() - began) / 60
    return Report(asked.quick, asked.tabs, minutes, machine.describe(), noise, samples, profiles)


def _run(measuring: Coroutine[Any, Any, None], label: str) -> None:
    """Measure some rows; where that fails, others are measured all the same, and what is missing is named."""
    try:
        asyncio.run(measuring)
    except Exception:  # noqa: BLE001 - printed, and the others take an hour
        traceback.print_exc()
        print(f"Rows {label} could not be measured.", file=sys.stderr)


def _page_of(asked: Options) -> Path:
    return ROOT / ("docs" if asked.is_whole else "build/bench") / "benchmarks.md"


def _write(report: Report, asked: Options) -> None:
    page = _page_of(asked)
    directory = page.parent
    pictures = charts.draw(report.samples, report.verdicts, directory / "images")
    addresses = {title: str(path.relative_to(directory)) for title, path in pictures.items()}
    page.write_text(report.page(addresses))
    (directory / "benchmarks.json").write_text(report.as_json())
    print(f"Wrote {page.relative_to(ROOT)}, in {report.minutes:.1f} minutes.", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
