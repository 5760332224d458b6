"""Hosts whose clocks differ, and a clock of Redis that is set: libfaketime has the processes see them."""

from __future__ import annotations

import asyncio
import ctypes.util
import re
from datetime import datetime
from pathlib import Path

import pytest

from tests.integration.faults.life import endure
from tests.integration.site import Site
from tests.support.redis_server import RedisServer
from tests.support.serving import Server

HOUR = 3600.0
WALL_CLOCK_ALONE = {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}
"""What counts elapsed time goes on as it does on a machine whose clock is set."""


def faketime() -> str:
    """Return the path of libfaketime; without it the test fails, it is not skipped."""
    found = [path for place in ("/usr/lib", "/usr/local/lib") for path in Path(place).glob("**/libfaketime.so.1")]
    if not found:
        raise RuntimeError("libfaketime was not found: run scripts/ensure-servers.")
    return str(found[0])


def ahead_by(seconds: float) -> dict[str, str]:
    """Return the environment of a process on a host whose clock is ahead."""
    return {"LD_PRELOAD": faketime(), "FAKETIME": f"{seconds:+g}s", **WALL_CLOCK_ALONE}


class SteppingRedis(RedisServer):
    """A Redis on a host whose clock can be set while it runs."""

    def start(self) -> None:
        self.step(0)
        # The C library's allocator: Redis's own asks for the time before libfaketime can tell it.
        libraries = f"{faketime()} {ctypes.util.find_library('c')}"
        clock = {"FAKETIME_TIMESTAMP_FILE": str(self.directory / "clock"), "FAKETIME_NO_CACHE": "1"}
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {"LD_PRELOAD": libraries, **clock, **WALL_CLOCK_ALONE}.items():
                patch.setenv(name, value)
            super().start()

    def step(self, seconds: float) -> None:
        """Set its clock, to so much ahead of the true time."""
        new = self.directory / "clock.new"
        new.write_text(f"{seconds:+g}s")
        # At once: a file half written would tell another time.
        new.rename(self.directory / "clock")


def wall_clock(web: Server) -> datetime:
    """Return what a process took the time for at its first request."""
    logged = re.search(r'\[(\S+)\] "GET', web.log.read_text())
    assert logged is not None
    return datetime.strptime(logged[1], "%d/%b/%Y:%H:%M:%S")  # noqa: DTZ007 - two are compared


@pytest.mark.rule("R6")
@pytest.mark.parametrize("step", [HOUR, -HOUR])
async def test_processes_with_clocks_two_hours_apart_agree_on_each_end_though_the_clock_of_redis_is_set(
    make_site, step: float
):
    site: Site = make_site(ahead_by(HOUR), ahead_by(-HOUR), redis=SteppingRedis)

    async def set_clock(site: Site) -> None:
        assert isinstance(site.redis, SteppingRedis)
        with site.redis.client() as client:
            before = client.time()[0]
            site.redis.step(step)
            assert client.time()[0] - before == pytest.approx(step, abs=2)
        # In the midst of it, one more process.
        await asyncio.to_thread(site.add)

    await endure(site, set_clock, told_within=2.0)
    assert site.log.count("The clock of the store's server jumped by") == 1
    ahead, behind = (wall_clock(web) for web in site.webs[:2])
    assert (ahead - behind).total_seconds() == pytest.approx(2 * HOUR, abs=60)
