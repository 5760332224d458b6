"""Finds the mutants of a file, and draws some of all."""

from __future__ import annotations

import ast
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.tools.mutants.operators import changes


@dataclass(frozen=True)
class Site:
    """Where in its file a mutant is."""

    statement: int
    """The line on which the statement around it begins."""
    scope: tuple[int, int]
    """The lines of the function or class around it; those of the file where there is none."""
    at_import: bool
    """It runs when the module is imported."""
    names: tuple[str, ...] = ()
    """What the statement defines at import."""


@dataclass(frozen=True)
class Mutant:
    """One change of one file."""

    group: str
    path: str
    line: int
    site: Site
    operator: str
    start: int
    end: int
    """Offsets in the file's bytes."""
    before: str
    after: str

    @property
    def key(self) -> str:
        """Identify the mutant in the results."""
        return f"{self.path}:{self.start}:{self.operator}:{self.after}"

    def apply(self, source: bytes) -> bytes:
        """Return the changed source."""
        return source[: self.start] + self.after.encode() + source[self.end :]


class Finder:
    """Finds the mutants of one file, and leaves out what no test is to notice.

    That is: docstrings, annotations, decorators, imports, assertions, the logger's calls, texts for people.
    """

    def __init__(self, group: str, path: str, source: bytes) -> None:
        self._group, self._path, self._source = group, path, source
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._tree = ast.parse(source)
        self._known = ast.dump(self._tree)

    def find(self) -> Iterator[Mutant]:
        """Yield every mutant that compiles and differs."""
        site = Site(1, (1, len(self._starts)), at_import=True)
        for node in self._tree.body:
            yield from filter(self._differs, self._visit(node, site))

    def _visit(self, node: ast.AST, site: Site) -> Iterator[Mutant]:
        if _is_skipped(node):
            return
        if isinstance(node, ast.stmt):
            site = replace(site, statement=node.lineno, names=_names_of(node) if site.at_import else ())
        for operator, replaced, after in changes(node):
            yield self._mutant(site, operator, replaced, after)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            site = replace(site, scope=(node.lineno, node.end_lineno or node.lineno))
        for field, child in _children(node):
            runs_later = field == "body" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from self._visit(child, replace(site, at_import=False) if runs_later else site)

    def _mutant(self, site: Site, operator: str, node: ast.AST, after: str) -> Mutant:
        assert isinstance(node, ast.expr | ast.stmt)
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self._starts[node.lineno - 1] + node.col_offset
        end = self._starts[node.end_lineno - 1] + node.end_col_offset
        before = self._source[start:end].decode()
        return Mutant(self._group, self._path, node.lineno, site, operator, start, end, before, after)

    def _differs(self, mutant: Mutant) -> bool:
        try:
            changed = ast.parse(mutant.apply(self._source))
        except SyntaxError:
            return False
        return ast.dump(changed) != self._known


def _children(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    left_out = {
        "annotation",
        "returns",
        "decorator_list",
        "type_params",
        "keywords" if isinstance(node, ast.ClassDef) else "",
    }
    for field, value in ast.iter_fields(node):
        if field not in left_out:
            yield from (
                (field, each) for each in (value if isinstance(value, list) else [value]) if isinstance(each, ast.AST)
            )


def _is_skipped(node: ast.AST) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Assert() | ast.JoinedStr() | ast.Expr(value=ast.Constant()):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.Assign(targets=[ast.Name(id="__all__" | "__slots__")]):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="logger")))):
            return True
        case ast.Call(func=ast.Attribute(attr="getLogger") | ast.Name(id="cast")):
            return True
    return False


def _names_of(statement: ast.stmt) -> tuple[str, ...]:
    match statement:
        case ast.Assign(targets=targets):
            return tuple(each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            return (name,)
    return ()


def draw(tree: Path, groups: Sequence[str], seed: int, count: int) -> list[Mutant]:
    """Draw mutants: a line first, then one of the changes that it allows."""
    by_line: defaultdict[tuple[str, int], list[Mutant]] = defaultdict(list)
    for path, group in sorted(files_of(tree, groups).items()):
        for mutant in Finder(group, path, (tree / path).read_bytes()).find():
            by_line[path, mutant.line].append(mutant)
    chance = random.Random(seed)
    lines = sorted(by_line)
    chance.shuffle(lines)
    return [chance.choice(by_line[line]) for line in lines[:count]]


def files_of(tree: Path, groups: Sequence[str]) -> dict[str, str]:
    """Return the group of each file, from `name=path,path`; a folder stands for what is in it."""
    found: dict[str, str] = {}
    for each in groups:
        group, _, paths = each.partition("=")
        for path in paths.split(","):
            place = tree / path
            files = sorted(place.rglob("*.py")) if place.is_dir() else [place]
            found |= {file.relative_to(tree).as_posix(): group for file in files}
    return found
