"""Which test shows which rule: read from the tests' marks and titles.

`python -m tests.support.rules` rewrites the list in docs/security.md.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "security.md"
HEADING = "## Where each is shown\n"
TITLE = re.compile(r"""\b(?:test|it)\(\s*["'`](?P<title>\[R\d+.*?)["'`],""")


def shown() -> dict[str, list[str]]:
    """Return the tests that show each rule, as `file::name` or `file`, by the rule's id."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in TESTS.rglob("test_*.py"):
        for rule, name in _marked(ast.parse(path.read_text())):
            found[rule].add(f"{path.relative_to(TESTS)}::{name}")
    for path in TESTS.rglob("*.test.mjs"):
        for match in TITLE.finditer(path.read_text()):
            for rule in re.findall(r"\bR\d+\b", match["title"]):
                found[rule].add(str(path.relative_to(TESTS)))
    return {rule: sorted(found[rule]) for rule in sorted(found, key=lambda rule: int(rule[1:]))}


def written() -> str:
    """Return the list as the page has to have it."""
    lines = [f"- {rule}: " + ", ".join(f"`{test}`" for test in tests) for rule, tests in shown().items()]
    return "\nBelow `tests/`:\n\n" + "\n".join(lines) + "\n"


def _marked(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        for mark in node.decorator_list:
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.rule":
                yield from ((ast.literal_eval(rule), node.name) for rule in mark.args)


if __name__ == "__main__":
    text, _, _ = PAGE.read_text().partition(HEADING)
    PAGE.write_text(text + HEADING + written())
