"""Tries mutants in a copy of the tree."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from tests.tools.mutants.coverage_data import Coverage
from tests.tools.mutants.finder import Mutant

MARKS = "not server and not browser"
FIRST_TESTS = 60
"""Tests that each mutant meets first, drawn evenly over the files they are in."""
TIME_LIMIT = 180.0
"""Seconds for all tests of one mutant."""
TEST_TIMEOUT = 60
"""Seconds for one test."""
STARTUP = 6.0
"""Seconds that pytest needs before the first test."""
FAILURE = re.compile(r"^(?:FAILED|ERROR) (.+)$", re.MULTILINE)
MISSING = re.compile(r"^ERROR: not found: (.+)$", re.MULTILINE)
USAGE_ERROR = 4
TIMED_OUT = (124, 137)
"""What `timeout` returns."""
TOOK = re.compile(r" in ([\d.]+)s\b")


@dataclass(frozen=True)
class Outcome:
    """What pytest did."""

    failed: str | None
    """The test that failed, or the last line where it was none; None: all passed."""
    seconds: float
    is_timeout: bool = False
    """A test took longer than any may."""
    is_out_of_time: bool = False
    """All of them together did."""


class Copy:
    """A copy of a tree, in which one mutant at a time is tried."""

    def __init__(self, tree: Path, place: Path, prefix: Sequence[str]) -> None:
        self._tree, self.place, self._prefix = tree, place, prefix
        self.tests: list[str] = []

    def make(self) -> None:
        """Copy what is under version control, point to the rest, and list the tests there are."""
        shutil.rmtree(self.place, ignore_errors=True)
        listed = subprocess.run(["git", "-C", self._tree, "ls-files", "-z"], check=True, capture_output=True, text=True)
        for name in filter(None, listed.stdout.split("\0")):
            target = self.place / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self._tree / name, target)
        for name in (".venv", ".node"):
            if (self._tree / name).exists():
                (self.place / name).symlink_to((self._tree / name).resolve())
        found = self._pytest(["--collect-only", "-q", "-m", MARKS], TIME_LIMIT)
        self.tests = [line for line in found.stdout.splitlines() if line.startswith("tests/") and "::" in line]
        if not self.tests:
            raise RuntimeError(f"No tests were found in {self.place}:\n{found.stdout[-2000:]}{found.stderr[-2000:]}")

    @contextmanager
    def changed(self, mutant: Mutant) -> Iterator[None]:
        """Have a mutant in the copy."""
        source = (self.place / mutant.path).read_bytes()
        self._write(mutant.path, mutant.apply(source))
        try:
            yield
        finally:
            self._write(mutant.path, source)

    def _write(self, path: str, content: bytes) -> None:
        file = self.place / path
        file.write_bytes(content)
        # One of the same size and second would be taken for it.
        for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
            compiled.unlink()

    def run(self, tests: Sequence[str], limit: float) -> Outcome:
        """Run tests until the first that fails, in the order in which the whole suite has them."""
        tests = sorted(tests, key=lambda test: self._places.get(test, 0))
        done = self._run(tests, limit)
        missing = set(MISSING.findall(done.stdout + done.stderr))
        if done.returncode == USAGE_ERROR and missing:
            # A constant that is a parameter of tests changes their names: there all parameters are tried.
            tests = list(dict.fromkeys(self._unparametrized(test, missing) for test in tests))
            done = self._run(tests, limit)
        failed = None
        if done.returncode != 0:
            failures = FAILURE.findall(done.stdout)
            names = [test for test in tests if failures and failures[0].startswith(test)]
            output = (done.stdout + done.stderr).strip().splitlines()
            failed = max(names, key=len) if names else (failures[:1] or output or [""])[-1]
        # Measured by pytest: with a prefix, the process may have waited for its turn.
        seconds = STARTUP + sum(map(float, TOOK.findall(done.stdout)[-1:] or [limit]))
        return Outcome(failed, seconds, "Timeout (>" in done.stdout, done.returncode in TIMED_OUT)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {test: place for place, test in enumerate(self.tests)}

    def _unparametrized(self, test: str, missing: Collection[str]) -> str:
        function = test.partition("[")[0]
        return function if f"{self.place}/{function}" in missing else test

    def _run(self, tests: Sequence[str], limit: float) -> subprocess.CompletedProcess[str]:
        listed = self.place.with_suffix(".tests")
        listed.write_text("\n".join(tests) + "\n")
        return self._pytest(["-x", "-q", "--tb=line", "-rfE", f"--timeout={TEST_TIMEOUT}", f"@{listed}"], limit)

    def _pytest(self, options: Sequence[str], limit: float) -> subprocess.CompletedProcess[str]:
        python = self.place / ".venv/bin/python"
        # `timeout` ends the servers too that the tests started; its clock runs only once a prefix let it begin.
        command = [*self._prefix, "timeout", "-k", "5", f"{limit:.0f}", str(python), "-m", "pytest", *options]
        command += ["-p", "no:cacheprovider", "-p", "no:xdist"]
        return subprocess.run(command, cwd=self.place, check=False, capture_output=True, text=True, errors="replace")


class Trial:
    """Tries mutants, and knows the tests that fail by themselves."""

    def __init__(self, copy: Copy, coverage: Coverage, flaky: Iterable[str]) -> None:
        self._copy, self._coverage = copy, coverage
        self.flaky = set(flaky)

    def run(self, mutant: Mutant) -> dict[str, object]:
        """Try one mutant; return what to record of it."""
        began = time.monotonic()
        covering = self._coverage.covering(mutant).intersection(self._copy.tests)
        outcome, by, ran = self._try(mutant, covering - self.flaky) if covering else ("not covered", None, 0)
        seconds = round(time.monotonic() - began, 1)
        found = {"outcome": outcome, "by": by, "ran": ran, "covering": len(covering), "seconds": seconds}
        return {"key": mutant.key, **asdict(mutant), **found, "flaky": sorted(self.flaky)}

    def _try(self, mutant: Mutant, covering: Collection[str]) -> tuple[str, str | None, int]:
        remaining, left = set(covering), TIME_LIMIT
        for most in (FIRST_TESTS, len(covering)):
            tests = self._coverage.first(self._coverage.within(remaining, left - STARTUP), most)
            if not tests:
                break
            with self._copy.changed(mutant):
                done = self._copy.run(tests, left)
            if done.failed is not None:
                if self._is_cause(mutant, done, tests):
                    is_slow = done.is_timeout or done.is_out_of_time
                    return ("timeout" if is_slow else "killed"), done.failed, len(covering) - len(remaining)
                if done.is_out_of_time:
                    break
                self.flaky.add(done.failed)
                return self._try(mutant, set(covering) - self.flaky)
            left -= done.seconds
            remaining -= set(tests)
        return "survived", None, len(covering) - len(remaining)

    def _is_cause(self, mutant: Mutant, done: Outcome, tests: Sequence[str]) -> bool:
        """Return whether the mutant is why it fails; where that is no test, the mutant broke them all."""
        assert done.failed is not None
        if "::" not in done.failed:
            return not (done.is_out_of_time and self._copy.run(tests, TIME_LIMIT).is_out_of_time)
        if self._copy.run([done.failed], TIME_LIMIT).failed is not None:
            return False
        with self._copy.changed(mutant):
            fails_alone = self._copy.run([done.failed], TIME_LIMIT).failed is not None
        # Otherwise it may be that it fails after the others.
        return fails_alone or self._copy.run(tests, TIME_LIMIT).failed is None
