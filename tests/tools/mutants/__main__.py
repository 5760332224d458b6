"""Measure the tests by mutants: small changes of the code, each of which should make a test fail.

First record which test covers which line, then draw mutants and try them, then print what came of it:

    python -m tests.tools.mutants cover --tree . --data build/mutants
    python -m tests.tools.mutants run --tree . --data build/mutants core=idlewatch/core store=idlewatch/store
    python -m tests.tools.mutants report --data build/mutants

It needs pytest-cov beside the development dependencies. The tree itself is never changed: mutants are tried in a copy.
`run` can be stopped and started again.
A line is drawn at random, then one of the changes that it allows: long expressions get no more than their share.
It is left to a person to tell which survivors are equivalent to what they replace.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.tools.mutants.coverage_data import Coverage
from tests.tools.mutants.finder import draw
from tests.tools.mutants.report import report, shortened
from tests.tools.mutants.trial import MARKS, Copy, Trial

PACKAGE = "idlewatch"


def read_results(file: Path) -> list[dict[str, object]]:
    """Return what was recorded so far."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def cover(tree: Path, data: Path, prefix: Sequence[str], workers: int) -> int:
    """Run the tests with coverage; keep which test covers which line, and how long each took."""
    data.mkdir(parents=True, exist_ok=True)
    settings = data / "coveragerc"
    settings.write_text(f"[run]\nbranch = true\nsource = {PACKAGE}\ndata_file = {data / '.coverage'}\n")
    options = [f"--cov={PACKAGE}", "--cov-branch", "--cov-context=test", f"--cov-config={settings}", "--cov-report="]
    command = [*prefix, str(tree / ".venv/bin/python"), "-m", "pytest", "-n", str(workers), "-m", MARKS, *options]
    with (data / "pytest.log").open("w") as log:
        done = subprocess.run([*command, "--durations=0", "-vv"], cwd=tree, check=False, stdout=log, stderr=log)
    return done.returncode


def run(options: argparse.Namespace, tree: Path, data: Path) -> None:
    """Try the mutants that were drawn and have no result yet, until it is time to stop."""
    results = data / "mutants.jsonl"
    known = read_results(results)
    tried = {str(each["key"]) for each in known}
    mutants = [each for each in draw(tree, options.groups, options.seed, options.count) if each.key not in tried]
    copy = Copy(tree, Path(options.scratch).resolve(), options.prefix.split())
    copy.make()
    flaky = known[-1]["flaky"] if known else []
    assert isinstance(flaky, list)
    trial = Trial(copy, Coverage(tree, data), flaky)
    for number, mutant in enumerate(mutants, start=1):
        if options.until and datetime.now(UTC).strftime("%H:%M") >= options.until:
            print(f"It is {options.until}: {len(mutants) - number + 1} mutants are left.")
            return
        result = trial.run(mutant)
        with results.open("a") as file:
            file.write(json.dumps(result) + "\n")
        print(
            f"{number}/{len(mutants)} {result['outcome']} {mutant.path}:{mutant.line} {result['seconds']} s", flush=True
        )


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["cover", "draw", "run", "report"])
    parser.add_argument("groups", nargs="*", metavar="GROUP=PATH,PATH", help="what to change, files or folders")
    parser.add_argument("--tree", type=Path, default=Path(), help="the checkout, with its .venv (default: here)")
    parser.add_argument("--data", type=Path, required=True, help="folder of the recorded coverage and the results")
    parser.add_argument("--scratch", default="build/mutants", help="where the copy is made")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2, help="processes that `cover` runs the tests in")
    parser.add_argument("--prefix", default="", help="command that runs pytest in its turn, such as a semaphore")
    parser.add_argument("--until", default="", help="begin no mutant from this time on, HH:MM in UTC")
    return parser.parse_intermixed_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Do one of the tasks."""
    options = parsed(arguments)
    tree, data = options.tree.resolve(), options.data.resolve()
    if options.task == "cover":
        return cover(tree, data, options.prefix.split(), options.workers)
    if options.task == "draw":
        for mutant in draw(tree, options.groups, options.seed, options.count):
            print(
                f"{mutant.path}:{mutant.line} {mutant.operator}: {shortened(mutant.before)} → {shortened(mutant.after)}"
            )
    elif options.task == "run":
        run(options, tree, data)
    else:
        print(report(read_results(data / "mutants.jsonl")))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
