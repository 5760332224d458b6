"""How findings write numbers, durations and processes."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from idlewatch.ops.self_report import SelfReport

MAX_NAMED = 5
"""Names in one list; the rest is counted."""


def duration(seconds: float) -> str:
    """Return a duration in a unit that fits.

    >>> [duration(each) for each in (0.0004, 0.42, 7.25, 400, 8000, 400_000)]
    ['under 1 ms', '420 ms', '7.2 s', '6 min 40 s', '2 h 13 min', '4 d 15 h']
    """
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 else "under 1 ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    for large, small, unit, fraction in ((60, 1, "min", "s"), (3600, 60, "h", "min"), (86400, 3600, "d", "h")):
        if seconds < large * 60 or unit == "d":
            whole, rest = divmod(round(seconds), large)
            return f"{whole} {unit} {rest // small} {fraction}" if rest // small else f"{whole} {unit}"
    raise AssertionError("there is no longer unit")


def named(names: Iterable[str]) -> str:
    """Return names as a list of limited length.

    >>> named(["b", "a"]), named("gfedcba")
    ('a, b', 'a, b, c, d, e and 2 more')
    """
    found = sorted(names)
    more = len(found) - MAX_NAMED
    return ", ".join(found[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "process"), counted(2, "process"), counted(3, "record")
    ('1 process', '2 processes', '3 records')
    """
    plural = "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{'' if number == 1 else plural}"


def process(report: SelfReport) -> str:
    """Return how a process is named: its random name, and where it runs."""
    return f"{report.process} (pid {report.pid} on {report.machine}, {report.interface})"


def processes(reports: Collection[SelfReport]) -> str:
    """Return the names of processes."""
    return named(process(each) for each in reports)
