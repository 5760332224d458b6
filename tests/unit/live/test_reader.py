"""What one operator's trouble costs the others, and the one reader of all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest import mock

import pytest

from idlewatch.core.protocol import Close
from idlewatch.exceptions import StoreUnavailable
from idlewatch.live import authorization, reader, search_cache, subscriber
from idlewatch.live.authorization import AccessGuard
from idlewatch.live.query import Query, Sort, WatchMessage
from idlewatch.live.reader import Reader
from idlewatch.live.search import Results, find
from idlewatch.live.search_cache import MAX_AGE, SearchCache
from idlewatch.live.subscriber import Subscriber
from idlewatch.live.summary import Summaries
from idlewatch.monitor import stores
from idlewatch.process import Lane, current_process, now
from idlewatch.runtime.runtime import runtime_of
from idlewatch.store.values import Census
from tests.support.sockets import Signed
from tests.unit.live.operators import Operator, apeople, astaff, pass_time, watching

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_timer", "advanced")]

NO_CENSUS = Census(0, 0, 0)


def ask(**query: Any) -> Query:
    return WatchMessage(1, **query).to_query()


async def taken_from(queue: asyncio.Queue[Any]) -> Any:
    """Return what is put into a queue; time passes until then."""
    for _ in range(100):
        if not queue.empty():
            break
        await pass_time(0.1)
    return queue.get_nowait()


@contextmanager
def reading(*pages: Subscriber) -> Iterator[Reader]:
    """Keep these pages up to date."""
    runtime_of(current_process()).start()
    read = Reader(current_process())
    for page in pages:
        read.join(page)
    yield read
    for page in pages:
        read.leave(page)


def page_of(signed: Signed, send: Any, close: Any = None) -> Subscriber:
    return Subscriber(current_process(), signed.watch_id, str(signed.user.pk), send, close or mock.AsyncMock())


def named(person: Any) -> str:
    return f"user{person.id[1:]}"


class TestHowLongAFindStands:
    @pytest.mark.parametrize(("took", "stands"), [(0.0, 0.0), (0.05, 0.5), (0.1, 1.0), (0.2, MAX_AGE), (3.0, MAX_AGE)])
    async def test_as_its_cost_is(self, took: float, stands: float, monkeypatch: pytest.MonkeyPatch):
        asked = 0

        async def costing(*_: Any) -> Results:
            nonlocal asked
            await pass_time(took)
            asked += 1
            return Results(asked, 1, [])

        monkeypatch.setattr(search_cache, "find", costing)
        kept, search = SearchCache(current_process()), ask(search="ada")
        assert (await kept.find(search, NO_CENSUS)).total == 1
        if stands:
            await pass_time(stands - 0.01)
            assert (await kept.find(search, NO_CENSUS)).total == 1
        await pass_time(0.02)
        assert (await kept.find(search, NO_CENSUS)).total == 2

    async def test_one_that_is_not_asked_for_is_forgotten(self):
        kept = SearchCache(current_process())

        async def costing(*_: Any) -> Results:
            await pass_time(1.0)
            return Results(1, 1, [])

        with mock.patch.object(search_cache, "find", side_effect=costing) as asked:
            for asks in ({ask(search="ada")}, set(), {ask(search="ada")}):
                await kept.find(ask(search="ada"), NO_CENSUS)
                kept.retain(asks)
        assert asked.call_count == 2


class TestAnAbandonedQuery:
    async def test_is_read_no_more_and_complained_of_no_more(
        self, operator: Operator, monkeypatch: pytest.MonkeyPatch, caplog: Any
    ):
        monkeypatch.setattr(reader, "READ_TIMEOUT", 0.5)
        given_up = asyncio.Event()

        async def slow(asked: Query, census: Census) -> Results:
            if asked.sort == "user":
                try:
                    await asyncio.Event().wait()
                finally:
                    given_up.set()
            return await find(asked, census)

        monkeypatch.setattr(search_cache, "find", slow)
        await operator.say("watch", query=1, sort="user")
        assert (await operator.next())["type"] == "unavailable"
        operator.query = 1
        await operator.ask()
        await pass_time(1.5)
        assert given_up.is_set()
        assert await operator.is_told_nothing(2.5)
        assert len(complaints(caplog)) == 1

    async def test_its_trouble_goes_on_with_what_is_asked_instead(self, operator: Operator, caplog: Any):
        with mock.patch.object(search_cache, "find", side_effect=TimeoutError):
            for number in range(1, 4):
                await operator.say("watch", query=number, search="x" * number)
                await pass_time(1.2)
        assert len(complaints(caplog)) == 1

    async def test_a_page_that_is_being_told_is_told_all(self, signed: Signed, monkeypatch: pytest.MonkeyPatch):
        """A frame that was begun arrives, though its page asks for something else by now."""
        monkeypatch.setattr(reader, "SEND_TIMEOUT", 30.0)
        begun, going, told = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def send(_: str) -> None:
            begun.set()
            await going.wait()
            told.set()

        page = page_of(signed, send)
        with reading(page) as read:
            page.set_query(WatchMessage(1))
            read.read_now(page)
            async with asyncio.timeout(5):
                await begun.wait()
            page.set_query(WatchMessage(2, sort=Sort.USER))
            await pass_time(1.2)
            going.set()
            async with asyncio.timeout(5):
                await told.wait()


@pytest.mark.rule("R24")
@pytest.mark.parametrize("fails", [False, True], ids=["rows", "failure"])
async def test_pages_that_do_not_read_keep_nothing_from_the_others_and_are_closed(
    fails: bool, signed: Signed, monkeypatch: pytest.MonkeyPatch
):
    told = asyncio.Queue[int]()

    async def send(number: int, _: str) -> None:
        told.put_nowait(number)
        await asyncio.Event().wait()

    if fails:
        monkeypatch.setattr(search_cache, "find", mock.AsyncMock(side_effect=TimeoutError))
    pages = [page_of(signed, partial(send, number)) for number in range(3)]
    for each in pages:
        each.set_query(WatchMessage(1))
    with reading(*pages):
        assert {await taken_from(told) for _ in pages} == {0, 1, 2}
        assert not any(each.is_closed for each in pages)
        await pass_time(reader.SEND_TIMEOUT)
        assert all(each.is_closed for each in pages)


def complaints(caplog: Any) -> list[str]:
    return [each.getMessage() for each in caplog.records if "updated" in each.getMessage()]


class TestAClose:
    @pytest.mark.rule("R24")
    async def test_that_waits_for_its_client_delays_no_other_page(
        self, signed: Signed, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(subscriber, "ACK_TIMEOUT", 0.5)
        told, asked_to_close = asyncio.Queue[str](), []

        async def never(code: Close) -> None:
            asked_to_close.append(code)
            await asyncio.Event().wait()

        stuck = [page_of(signed, mock.AsyncMock(), never) for _ in range(3)]
        other = page_of(signed, told.put)
        for each in (*stuck, other):
            each.set_query(WatchMessage(1))
        with reading(*stuck, other):
            for number in range(1, 5):
                await taken_from(told)
                other.acknowledge(number)
                await apeople(1, start=number)
            assert asked_to_close == [Close.TOO_SLOW] * 3
            assert all(each.query is None for each in stuck)

    async def test_that_fails_is_said(self, caplog: Any):
        broken = mock.AsyncMock(side_effect=RuntimeError("broken"))
        page = Subscriber(current_process(), "w1", "1", mock.AsyncMock(), broken)
        page.close(Close.TOO_SLOW)
        await asyncio.wait(current_process()._tasks)
        assert [each.getMessage() for each in caplog.records] == ["A live page could not be closed."]


class TestAPageThatLeaves:
    async def test_is_not_read_for(self, signed: Signed):
        page = page_of(signed, mock.AsyncMock())
        page.set_query(WatchMessage(1))
        with reading(page) as read:
            read.leave(page)
            read.read_now(page)
            assert read._readings.queries == set()

    async def test_as_the_last_one_leaves_no_connection_behind(self, signed: Signed, monkeypatch: pytest.MonkeyPatch):
        rested = mock.Mock()
        monkeypatch.setattr(current_process().threads, "rest", rested)
        first, last = (page_of(signed, mock.AsyncMock()) for _ in range(2))
        with reading(first, last) as read:
            read.leave(first)
            rested.assert_not_called()
            read.leave(last)
            assert rested.call_args_list == [mock.call(Lane.LIVE), mock.call(Lane.SEARCH)]

    async def test_while_its_permission_is_checked_is_guarded_no_more(
        self, signed: Signed, monkeypatch: pytest.MonkeyPatch
    ):
        guard, page = AccessGuard(current_process()), page_of(signed, mock.AsyncMock())
        guard.admit(page)

        def check(users: set[str]) -> set[str]:
            guard.release(page)
            return users

        monkeypatch.setattr(authorization, "permitted_users", check)
        await guard.check()
        await pass_time(authorization.TRUST_PERIOD + 1)
        assert guard.unconfirmed() == []


async def test_without_the_store_there_are_no_counts():
    with pytest.raises(StoreUnavailable):
        await Summaries(current_process()).get()


class TestTheChart:
    async def test_goes_on_and_starts_over_after_the_clock_was_set_back(
        self, operator: Operator, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("idlewatch.live.summary.SAMPLE_INTERVAL", 0.2)
        at, statistics = now(), stores.current().statistics
        await statistics.take_sample(at - 30, 15.0, 3600.0)
        assert times(await operator.ask()) == [at - 30]
        await statistics.take_sample(at + 600, 15.0, 3600.0)
        frame = await operator.next()
        assert (frame["type"], times(frame)) == ("changes", [at + 600])
        # The store drops what is yet to come.
        await statistics.take_sample(at, 15.0, 3600.0)
        frame = await operator.next()
        assert (frame["type"], times(frame)) == ("page", [at - 30, at])
        assert await operator.is_told_nothing()

    async def test_shows_no_more_than_the_last_hour_however_long_it_is_watched(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("idlewatch.live.summary.SAMPLE_INTERVAL", 0.0)
        runtime_of(current_process()).start()
        at, moments = now(), Summaries(current_process())
        shown = []
        for sampled in (at - 3700, at - 3500, at):
            await stores.current().statistics.take_sample(sampled, 15.0, 3600.0)
            moments.expire()
            shown.append([sample.at for sample in (await moments.get()).samples])
        assert shown == [[at - 3700], [at - 3700, at - 3500], [at - 3500, at]]


def times(frame: dict[str, Any]) -> list[float]:
    return [sample[0] for sample in frame["samples"]]


class TestHowManyPages:
    @pytest.mark.rule("R24")
    async def test_a_session_has_only_so_many(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("idlewatch.live.consumer.MAX_PAGES", 2)
        signed, another = await astaff(), await astaff("op2")
        async with watching(signed.key), watching(another.key):
            async with watching(signed.key):
                third = Operator(signed.key)
                assert await third.is_accepted()
                assert await third.close_code() == 4429
                await third.leave(4429)
            async with watching(signed.key) as again:
                assert (await again.ask())["total"] == 2
