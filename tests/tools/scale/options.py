"""What the environment asks of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.tools.bench.options import integer

FULL_SESSIONS, FULL_RECORDS = 100_000, 10_000_000
MIN_SESSIONS, MAX_SESSIONS = 100, 1_000_000
MAX_RECORDS = 100_000_000


@dataclass(frozen=True)
class Options:
    """How large the site is."""

    sessions: int = FULL_SESSIONS
    """Live sessions."""
    records: int = FULL_RECORDS
    """Records of sessions that ended."""

    @property
    def active(self) -> int:
        """The sessions whose users are active."""
        return self.sessions // 5

    @property
    def ends(self) -> int:
        """The sessions that end at one moment."""
        return self.sessions // 10

    @property
    def is_whole(self) -> bool:
        """Whether it is as the page describes it."""
        return self == Options()


def options(environ: Mapping[str, str]) -> Options:
    """Read the options of a run.

    Raises:
        OptionError: a variable has a value that cannot be used.
    """
    return Options(
        integer(environ, "SESSIONS", FULL_SESSIONS, MIN_SESSIONS, MAX_SESSIONS),
        integer(environ, "RECORDS", FULL_RECORDS, 0, MAX_RECORDS),
    )
