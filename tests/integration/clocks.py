"""Hosts whose clocks differ, or are set: libfaketime has processes see them."""

from __future__ import annotations

import ctypes.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.redis_server import RedisServer

ONLY_THE_WALL = {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}
"""What counts elapsed time goes on as it does on a machine whose clock is set."""


def faketime() -> str:
    """Return libfaketime; without it the test fails, it is not skipped."""
    places = [Path("/usr/lib"), Path("/usr/local/lib")]
    for found in (path for place in places for path in sorted(place.glob("**/faketime/libfaketime.so.1"))):
        return str(found)
    raise RuntimeError("libfaketime was not found: run scripts/ensure-servers.")


def ahead_by(seconds: float) -> dict[str, str]:
    """Return the environment of a process on a host whose clock is ahead."""
    return {"LD_PRELOAD": faketime(), "FAKETIME": f"{seconds:+g}s", **ONLY_THE_WALL}


class SteppingRedis(RedisServer):
    """A Redis on a host whose clock can be set while it runs."""

    def start(self) -> None:
        self.step(0)
        # The C library's allocator: Redis's own asks for the time before libfaketime can tell it.
        libraries = f"{faketime()} {ctypes.util.find_library('c')}"
        clock = {"FAKETIME_TIMESTAMP_FILE": str(self._clock), "FAKETIME_NO_CACHE": "1", **ONLY_THE_WALL}
        with environment(LD_PRELOAD=libraries, **clock):
            super().start()

    @property
    def _clock(self) -> Path:
        return self.directory / "clock"

    def step(self, seconds: float) -> None:
        """Set its clock, to so much ahead of the true time."""
        new = self._clock.with_suffix(".new")
        new.write_text(f"{seconds:+g}s")
        # At once: a file half written would tell another time.
        new.rename(self._clock)


@contextmanager
def environment(**extra: str) -> Iterator[None]:
    """Have what is started meanwhile find this in its environment."""
    before = dict(os.environ)
    os.environ.update(extra)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
