"""Whose processor time a sampled stack is: that of the package whose code ran, from the innermost frame outwards.

A stack is a line as `py-spy record --native --format raw` writes it: the frames from the outermost one, by semicolons,
each a function and its file. Native frames stand between those of Python.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tests.support.serving import ROOT

COLLECTOR, WAIT, STANDARD, DATABASE = "garbage collector", "event wait", "standard library", "database driver"
BENCHMARK, INTERPRETER, REST = "the benchmark's application", "interpreter", "rest"
COLLECTIONS = ("gc_collect_main", "_PyGC_", "gc_collect_generations")
"""The functions in which Python collects garbage; a binary without symbols does not name them."""
WAITS = frozenset({"epoll_wait", "epoll_pwait", "poll", "ppoll", "select"})
RESTS = ("PyThread_acquire_lock", "PyEval_RestoreThread", "take_gil", "clock_nanosleep")
"""The functions in which a thread waits for a lock or a moment: it is seen there when a sample itself has woken it."""
PACKAGES = {
    "daphne": "Daphne",
    "twisted": "Twisted",
    "zope": "Twisted",
    "txaio": "autobahn",
    "channels": "Channels",
    "django": "Django",
    "redis": "redis-py",
    "hiredis": "redis-py",
    "psycopg": DATABASE,
    "psycopg_binary": DATABASE,
    "sqlite3": DATABASE,
    "_cffi_backend": "autobahn",
}
"""The owners of packages that have another name, or are a part of something."""
OWN = {"tests": BENCHMARK, "project": "the project around idlewatch"}
_FRAME = re.compile(r"(?P<function>.*) \((?P<file>.*?)(?::\d+)?\)")
_INSTALLED = re.compile(r".*/(?:site|dist)-packages/(?P<package>[^/.]+)")
_STANDARD = re.compile(r".*/python3\.\d+/(?P<package>[^/.]+)")


class Frame(NamedTuple):
    """A function, and the file that it is in."""

    function: str
    file: str

    @classmethod
    def of(cls, text: str) -> Frame:
        """Read a frame as py-spy writes it."""
        found = _FRAME.fullmatch(text)
        return cls(found["function"], found["file"]) if found else cls(text, "")

    @property
    def is_python(self) -> bool:
        return self.file.endswith(".py") or self.file.startswith("<")


def read(lines: Iterable[str]) -> Iterator[tuple[Sequence[Frame], int]]:
    """Yield the frames of each stack, and how often it was seen."""
    for line in lines:
        stack, _, count = line.rpartition(" ")
        yield [Frame.of(each) for each in stack.split(";")], int(count)


def by_owner(lines: Iterable[str]) -> dict[str, int]:
    """Return how many samples each owner has, that with most of them first."""
    owners = Counter[str]()
    for frames, count in read(lines):
        owners[owner(frames)] += count
    del owners[REST]
    return dict(owners.most_common())


def by_function(lines: Iterable[str], most: int) -> dict[str, int]:
    """Return the Python functions that ran, or called what ran, in most of the samples."""
    functions = Counter[str]()
    for frames, count in read(lines):
        inner = next((frame for frame in reversed(frames) if frame.is_python and _owner_of(frame)), None)
        if inner is not None and owner(frames) != REST:
            functions[f"{_owner_of(inner)}: {inner.function} ({inner.file.rpartition('/')[2]})"] += count
    return dict(functions.most_common(most))


def owner(frames: Sequence[Frame]) -> str:
    """Return whose code was running.

    What has no owner of its own, as the interpreter's functions and the C library's, counts to whose code called it.
    """
    if frames[-1].function in WAITS:
        return WAIT
    for frame in reversed(frames):
        if not frame.is_python and frame.function.startswith(COLLECTIONS):
            return COLLECTOR
        if not frame.is_python and frame.function.startswith(RESTS):
            return REST
        if found := _owner_of(frame):
            return found
    return INTERPRETER


def owner_of_file(file: str) -> str:
    """Return whose a file of Python code is."""
    return _owner_of(Frame("", file)) or INTERPRETER


def _owner_of(frame: Frame) -> str | None:
    file = frame.file
    if found := _INSTALLED.match(file):
        package = found["package"]
        return PACKAGES.get(package, package)
    if file.startswith(f"{ROOT}/") and frame.is_python:
        first, *rest = file.removeprefix(f"{ROOT}/").removesuffix(".py").split("/")
        return f"{first}.{rest[0]}" if first == "idlewatch" and rest else OWN.get(first, first)
    if "sqlite3" in file.rpartition("/")[2]:
        return DATABASE
    if file.startswith("<frozen"):
        return STANDARD
    if frame.is_python and (found := _STANDARD.match(file)):
        package = found["package"]
        return "asyncio" if package == "asyncio" else PACKAGES.get(package, STANDARD)
    return None


def idlewatch_share(amounts: Mapping[str, float]) -> float:
    """Return what idlewatch has of some amounts."""
    return sum(amount for name, amount in amounts.items() if name.startswith("idlewatch."))
