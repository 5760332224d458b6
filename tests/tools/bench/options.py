"""What the environment asks of a run.

`python -m tests.tools.bench.options`, which needs no package, exits with 2 where a value cannot be used.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tests.tools.bench.goals import WORK

QUICK_TABS, FULL_TABS = 1_000, 10_000
STEPS = (1_000, 5_000)
"""Sizes on the way to the full one, at which a figure that grows with the tabs is taken, too."""
REPEATS, REPEATS_OF_MANY = 5, 3
MANY = 5_000
"""Tabs whose rows are repeated less often."""
WINDOW, QUICK_WINDOW = 10.0, 1.0
MAX_TABS = 15_000
"""Each needs a file descriptor, here and in the server."""

ALL_ROWS = frozenset(WORK)


class OptionError(ValueError):
    """A variable has a value that cannot be used."""


@dataclass(frozen=True)
class Options:
    """What to measure, and how thoroughly."""

    quick: bool = False
    check: bool = False
    profile: bool = True
    """Whether to take profiles, after what is measured."""
    rows: frozenset[str] = ALL_ROWS
    tabs: int = FULL_TABS

    @property
    def sizes(self) -> tuple[int, ...]:
        """The numbers of tabs at which a figure that grows with them is taken."""
        return (*(size for size in STEPS if size < self.tabs), self.tabs)

    @property
    def has_many_tabs(self) -> bool:
        return self.tabs >= MANY

    @property
    def repeats(self) -> int:
        """How often what all tabs take part in is measured; the other rows are repeated `REPEATS` times."""
        return REPEATS_OF_MANY if self.has_many_tabs else REPEATS

    @property
    def window(self) -> float:
        """Seconds for which a process is observed."""
        return QUICK_WINDOW if self.quick else WINDOW

    @property
    def is_whole(self) -> bool:
        """Whether it is as the page describes it: with no choice of rows or tabs."""
        return replace(self, check=False, profile=True) in (Options(), replace(quick_options(), profile=True))


def quick_options() -> Options:
    """Return what a quick run measures."""
    return Options(quick=True, profile=False, tabs=QUICK_TABS)


def options(environ: Mapping[str, str]) -> Options:
    """Read the options of a run.

    Raises:
        OptionError: a variable has a value that cannot be used.
    """
    default = quick_options() if _flag(environ, "QUICK") else Options()
    return replace(
        default,
        check=_flag(environ, "CHECK"),
        profile=_flag(environ, "PROFILE", default=default.profile),
        rows=_rows(environ, default.rows),
        tabs=integer(environ, "TABS", default.tabs, 1, MAX_TABS),
    )


def require_writable(page: Path) -> None:
    """Check that a page can be written, before that takes an hour.

    Raises:
        OptionError: it can't.
    """
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"{page.parent} can't be made: {error.strerror}.") from error
    if not os.access(page if page.exists() else page.parent, os.W_OK):
        raise OptionError(f"{page} can't be written: permission denied.")


def _flag(environ: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    value = environ.get(name, "")
    if value not in {"", "0", "1"}:
        raise OptionError(f"{name} is {value!r}; expected 1, 0 or nothing.")
    return value == "1" if value else default


def integer(environ: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """Read an integer.

    Raises:
        OptionError: the variable has another value.
    """
    value = environ.get(name, "")
    if not value:
        return default
    if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
        raise OptionError(f"{name} is {value!r}; expected an integer from {least} to {most}.")
    return int(value)


def _rows(environ: Mapping[str, str], default: frozenset[str]) -> frozenset[str]:
    value = environ.get("ROWS", "").strip()
    rows = frozenset(value.replace(",", " ").split())
    if value and not rows:
        raise OptionError(f"ROWS is {value!r}; expected some of {', '.join(WORK)}.")
    if unknown := sorted(rows - ALL_ROWS):
        raise OptionError(f"ROWS names {', '.join(unknown)}; expected some of {', '.join(WORK)}.")
    return rows or default


def main() -> int:
    """Check the environment, before it takes minutes to make ready for a run; return the exit status."""
    try:
        options(os.environ)
    except OptionError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
