"""Heartbeats that wait to be credited together: nothing of their session comes before them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async

from idlewatch.core.activity import Reason
from idlewatch.core.events import Acted, Held, TabOpened
from idlewatch.core.policy import Phase
from idlewatch.monitor import stores
from idlewatch.monitor.heartbeats import Heartbeat
from idlewatch.monitor.outage import REPORT_GRACE
from idlewatch.store.values import Touch, Watched
from tests.conftest import START, Time
from tests.support.outages import Member, Outage, outage

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.redis]


@pytest.fixture
def kept(tmp_path: Path, clock: Time) -> Iterator[Outage]:
    with outage(tmp_path, clock, persistent=True) as made:
        yield made


@pytest.fixture
async def web(kept: Outage) -> Member:
    web = kept.process("web")
    await kept.around()
    return web


@pytest.fixture
async def watch_id(web: Member, clock: Time) -> str:
    """A session with a tab."""
    watch_id = (await web.asign_in()).id
    await web.store.sessions.aapply(watch_id, TabOpened("web", 5), clock.now)
    return watch_id


async def flush(web: Member) -> None:
    heartbeats = stores.heartbeats_of(web.process)
    assert heartbeats is not None
    await heartbeats.flush()


class Page:
    """A tab that notes what came of its heartbeats that were more than a touch."""

    def __init__(self, web: Member) -> None:
        self.web = web
        self.followed: list[Watched | None] = []

    def beat(self, watch_id: str, at: float) -> None:
        heartbeats = stores.heartbeats_of(self.web.process)
        assert heartbeats is not None
        look = partial(self.web.store.sessions.aapply, watch_id, Acted(), at)
        assert heartbeats.add(Heartbeat(Touch(watch_id, at, at), look, self.follow))

    async def follow(self, looking: Awaitable[Watched | None]) -> None:
        self.followed.append(await looking)


async def test_heartbeats_are_credited_before_anything_else_that_happens_to_their_session(
    web: Member, watch_id: str
) -> None:
    Page(web).beat(watch_id, START + 10)
    found = await web.store.sessions.aget(watch_id)
    assert found.activity.active == START + 10
    Page(web).beat(watch_id, START + 20)
    ended = await web.store.sessions.aend(watch_id, Reason.LOGOUT, START + 20.01)
    assert ended.activity.active == START + 20


# The limits are those of `tests.support.watches`: the session is warned at 80, and over at 100.


async def test_heartbeats_put_off_a_warning_that_is_due_before_they_would_be_credited(
    web: Member, watch_id: str, clock: Time
) -> None:
    Page(web).beat(watch_id, START + 79.99)
    clock.now = START + 80
    await web.around()
    found = await web.store.sessions.aget(watch_id)
    assert (found.shown.phase, found.activity.warnings) == (Phase.ACTIVE, 0)


async def test_heartbeats_keep_a_session_that_a_thread_finds_to_be_over(
    web: Member, watch_id: str, clock: Time
) -> None:
    Page(web).beat(watch_id, START + 10)
    clock.now = START + 105
    found = await sync_to_async(web.store.sessions.end)(watch_id, None, clock.now)
    assert (found.activity.ended, found.activity.active) == (None, START + 10)


async def test_heartbeats_keep_a_session_while_they_are_on_their_way_to_a_slow_store(
    web: Member, watch_id: str, clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, goes_on, credit = asyncio.Event(), asyncio.Event(), web.recovery.sessions.acredit

    async def slow(touches: Sequence[Touch], process: str) -> Collection[int]:
        begun.set()
        await goes_on.wait()
        return await credit(touches, process)

    monkeypatch.setattr(web.recovery.sessions, "acredit", slow)
    Page(web).beat(watch_id, START + 79)
    await begun.wait()
    clock.now = START + 100
    found = await sync_to_async(web.store.sessions.end)(watch_id, None, clock.now)
    goes_on.set()
    assert (found.activity.ended, found.activity.active) == (None, START + 79)


async def test_heartbeats_that_are_more_than_a_touch_are_applied_one_by_one(web: Member, watch_id: str) -> None:
    page, other = Page(web), (await web.asign_in()).id
    await web.store.sessions.aapply(watch_id, Held("upload"), START + 5)
    for each in (watch_id, other):
        page.beat(each, START + 10)
    await flush(web)
    followed = {watched.id: watched.activity for watched in page.followed if watched}
    assert {each: activity.active for each, activity in followed.items()} == dict.fromkeys(
        [watch_id, other], START + 10
    )
    assert followed[watch_id].holds
    assert not followed[other].tabs


async def test_heartbeats_that_the_store_misses_wait_until_it_is_back(
    kept: Outage, web: Member, watch_id: str, clock: Time
) -> None:
    kept.redis.stop()
    page = Page(web)
    page.beat(watch_id, START + 10)
    await flush(web)
    assert page.followed == []
    kept.redis.start()
    clock.now = START + 20
    await kept.around(REPORT_GRACE + 2)
    assert (await web.store.sessions.aget(watch_id)).activity.active == START + 10
