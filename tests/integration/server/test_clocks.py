"""Clocks that differ, and a clock that is set: real ones, as libfaketime has the processes see them."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.integration.clocks import SteppingRedis, ahead_by
from tests.integration.server.visitors import FETCH, Tab, Visitor
from tests.integration.site import Site, running
from tests.support.serving import Server

HOUR = 3600.0
IDLE = 6.0
SLACK = 1.5
"""Seconds by which a busy machine may be late."""


class Open:
    """A tab that is open somewhere, and notes what it is told, and when."""

    def __init__(self, visitor: Visitor, tab: Tab) -> None:
        self.visitor = visitor
        self.tab = tab
        self.frames: list[tuple[float, dict[str, Any]]] = []
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for message in self.tab.socket:
                self.frames.append((time.monotonic(), json.loads(message)))
        except ConnectionClosed:
            pass

    @property
    def ended(self) -> tuple[float, str] | None:
        """When it was told of the end, and the reason."""
        return next(((at, frame["reason"]) for at, frame in self.frames if frame["phase"] == "ended"), None)


async def tabs(visitor: Visitor, webs: Sequence[Server]) -> list[Open]:
    found = []
    for web in webs:
        visitor.server = web
        found.append(Open(visitor, Tab(await visitor.connect())))
    return found


async def work(opened: Sequence[Open], seconds: float) -> float:
    """Act for a while, on one process after the other, by socket and by request; return when that was last."""
    visitor, logged_in_at, last, turn = opened[0].visitor, time.monotonic(), 0.0, 0
    while time.monotonic() < logged_in_at + seconds:
        where = opened[turn % len(opened)]
        last = time.monotonic()
        if turn % 4 < 2:
            await where.tab.say("activity")
        else:
            visitor.server = where.visitor.server
            answer = await asyncio.to_thread(visitor.get, "/")
            assert answer.status == 200, (time.monotonic() - logged_in_at, answer.headers["Location"])
        turn += 1
        await asyncio.sleep(1)
        assert not any(each.ended for each in opened), [each.frames for each in opened]
    return last


async def ends_in_time(opened: Sequence[Open], last: float) -> None:
    """See the session end everywhere when it is to, and refused everywhere from then on."""
    async with asyncio.timeout(IDLE + 10):
        await asyncio.gather(*(each.reading for each in opened))
    for each in opened:
        assert each.ended is not None, each.frames
        at, reason = each.ended
        assert reason == "idle"
        assert IDLE - 0.2 < at - last < IDLE + SLACK, at - last
        # No countdown was ever wrong by more than the slack.
        assert all(-SLACK < frame["remaining"] <= IDLE + 0.1 for _, frame in each.frames)
    assert [each.tab.socket.close_code for each in opened] == [4401] * len(opened)


async def refused_everywhere(visitor: Visitor, webs: Sequence[Server]) -> None:
    for web in webs:
        cookies, visitor.server = dict(visitor.cookies), web
        answer = await asyncio.to_thread(visitor.get, "/demo/clock/", FETCH)
        assert (answer.status, answer.headers["Idlewatch-Ended"]) == (401, "idle")
        visitor.cookies = cookies


def assert_sound(site: Site, *, steps: int = 0) -> None:
    log = site.log
    assert "Traceback" not in log, log[log.index("Traceback") - 1000 :][:4000]
    assert len(re.findall("The clock of the store.s server jumped by", log)) == steps


@pytest.mark.rule("R6")
async def test_processes_whose_clocks_are_two_hours_apart_agree_on_the_end(tmp_path: Path):
    with running(tmp_path, ahead_by(HOUR), ahead_by(-HOUR), IDLEWATCH_IDLE_TIMEOUT=str(IDLE)) as site:
        visitor = Visitor(site.webs[0], "worker")
        opened = await tabs(visitor, site.webs)
        cookies = dict(visitor.cookies)
        await ends_in_time(opened, await work(opened, 15))
        visitor.cookies = cookies
        await refused_everywhere(visitor, site.webs)
        assert_sound(site)
        clocks = [await asyncio.to_thread(wall_of, visitor, web) for web in site.webs]
        assert clocks[0] - clocks[1] == pytest.approx(2 * HOUR, abs=5)


@pytest.mark.rule("R6")
@pytest.mark.parametrize("step", [HOUR, -HOUR])
async def test_a_redis_whose_clock_is_set_ends_no_session_early_or_late(tmp_path: Path, step: float):
    with running(tmp_path, redis=SteppingRedis, IDLEWATCH_IDLE_TIMEOUT=str(IDLE)) as site:
        redis = site.redis
        assert isinstance(redis, SteppingRedis)
        worker, away, tabless = (Visitor(web, name) for web, name in zip(site.webs * 2, "abc", strict=False))
        working = asyncio.create_task(work(await tabs(worker, site.webs), 14))
        idle = await tabs(away, site.webs)
        cookies = dict(away.cookies)
        left = await asyncio.to_thread(logged_in_at, away)
        await asyncio.sleep(2)
        with redis.client() as client:
            before = client.time()[0]
            redis.step(step)
            assert client.time()[0] - before == pytest.approx(step, abs=2)
        # In the midst of it, one more process.
        late = await asyncio.to_thread(site.add)
        await ends_in_time(idle, left)
        away.cookies = cookies
        await refused_everywhere(away, site.webs)

        last = await working
        more = await tabs(worker, [late])
        cookies = dict(worker.cookies)
        await ends_in_time(more, last)
        worker.cookies = cookies
        await refused_everywhere(worker, site.webs)
        await refused_everywhere(tabless, site.webs)
        assert_sound(site, steps=1)


def wall_of(visitor: Visitor, web: Server) -> float:
    """Return what a process takes the time for, by a cookie that it sets to expire."""
    visitor.server, visitor.cookies = web, {}
    (cookie,) = visitor.get("/accounts/login/").headers.get_all("Set-Cookie", [])
    expires = SimpleCookie(cookie)["csrftoken"]["expires"]
    return parsedate_to_datetime(expires).timestamp()


def logged_in_at(visitor: Visitor) -> float:
    """Act for the last time; return when."""
    last = time.monotonic()
    assert visitor.get("/").status == 200
    return last
