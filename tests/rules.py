"""Which test shows which rule: read from the tests' marks and titles.

Run `python -m tests.rules` to see them.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parent
TITLE = re.compile(r"""\b(?:test|it)\(\s*["'`](?P<title>\[R\d+\].*?)["'`],""")


def shown() -> dict[str, list[str]]:
    """Return the tests that show each rule, as `file::name`, by the rule's id."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in sorted(TESTS.rglob("test_*.py")):
        for rule, name in _marked(ast.parse(path.read_text())):
            found[rule].add(f"{path.relative_to(TESTS.parent)}::{name}")
    for path in sorted(TESTS.rglob("*.test.mjs")):
        for match in TITLE.finditer(path.read_text()):
            for rule in re.findall(r"\bR\d+\b", match["title"]):
                found[rule].add(f"{path.relative_to(TESTS.parent)}")
    return {rule: sorted(found[rule]) for rule in sorted(found, key=lambda rule: int(rule[1:]))}


def _marked(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        for mark in node.decorator_list:
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.rule":
                yield from ((ast.literal_eval(rule), node.name) for rule in mark.args)


if __name__ == "__main__":
    for rule, tests in shown().items():
        print(rule, *tests, sep="\n    ")
