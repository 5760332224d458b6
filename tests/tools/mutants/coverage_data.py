"""Which tests run a line, and how long they take."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from coverage import CoverageData

from tests.tools.mutants.finder import Mutant

DURATION = re.compile(r"^([\d.]+)s (?:setup|call|teardown) +(tests/.+?)\s*$", re.MULTILINE)
SLACK = 3.0
"""A busy machine is this much slower than it was when the durations were measured."""


class Coverage:
    """Which tests cover a mutant, and how long they take, as `cover` recorded it."""

    def __init__(self, tree: Path, data: Path) -> None:
        recorded = CoverageData(str(data / ".coverage"))
        recorded.read()
        self._tree = tree
        self._lines: dict[str, dict[int, set[str]]] = {}
        for name in recorded.measured_files():
            lines = {line: _tests_in(contexts) for line, contexts in recorded.contexts_by_lineno(name).items()}
            self._lines[Path(name).relative_to(tree).as_posix()] = lines
        self._executed = {
            Path(name).relative_to(tree).as_posix(): set(recorded.lines(name) or ())
            for name in recorded.measured_files()
        }
        self._durations: defaultdict[str, float] = defaultdict(float)
        for seconds, test in DURATION.findall((data / "pytest.log").read_text(errors="replace")):
            self._durations[test] += float(seconds)

    def covering(self, mutant: Mutant) -> set[str]:
        """Return the tests that run a mutated line.

        What runs when its module is imported belongs to no test: there it is those that run a line where the name is
        used, or else the code around it.
        """
        lines = self._lines.get(mutant.path, {})
        if not self._executed.get(mutant.path, set()) & {mutant.line, mutant.site.statement}:
            return set()
        tests = lines.get(mutant.line) or lines.get(mutant.site.statement)
        if tests and not mutant.site.at_import:
            return tests
        first, last = mutant.site.scope
        around: set[str] = set().union(*(each for line, each in lines.items() if first <= line <= last))
        return self._using(mutant.site.names) or around or set().union(*lines.values())

    def _using(self, names: Sequence[str]) -> set[str]:
        if not names:
            return set()
        used = re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})\b")
        tests: set[str] = set()
        for path, text in self._sources.items():
            for number, line in enumerate(text, start=1):
                if used.search(line):
                    tests |= self._lines[path].get(number, set())
        return tests

    @cached_property
    def _sources(self) -> dict[str, list[str]]:
        return {path: (self._tree / path).read_text().splitlines() for path in self._lines}

    def seconds(self, test: str) -> float:
        """Return how long a test took."""
        return self._durations.get(test, 0.0)

    def first(self, tests: Iterable[str], most: int) -> list[str]:
        """Choose tests evenly over the files that they are in, the fast ones of each."""
        by_file: defaultdict[str, list[str]] = defaultdict(list)
        for test in sorted(tests, key=lambda each: (self.seconds(each), each)):
            by_file[test.partition("::")[0]].append(test)
        rounds = [(place, self.seconds(test), test) for each in by_file.values() for place, test in enumerate(each)]
        return [test for _, _, test in sorted(rounds)[:most]]

    def within(self, tests: Iterable[str], limit: float) -> list[str]:
        """Choose what may be run in so many seconds, the fast ones first."""
        chosen: list[str] = []
        left = limit
        for test in sorted(tests, key=lambda each: (self.seconds(each), each)):
            left -= self.seconds(test) * SLACK
            if left < 0:
                break
            chosen.append(test)
        return chosen


def _tests_in(contexts: Iterable[str]) -> set[str]:
    return {each.rpartition("|")[0] for each in contexts if each}
