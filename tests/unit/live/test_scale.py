"""What one operator has read and sent does not grow with the sessions that are not visible."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from django.db.backends.utils import CursorWrapper
from django.db.models.sql import compiler

from idlewatch.core.events import Acted, TabOpened
from idlewatch.live import authorization, search
from idlewatch.live.query import WatchMessage, parse
from idlewatch.live.search import find
from idlewatch.monitor import stores
from idlewatch.process import now
from tests.support.redis_server import shared_redis
from tests.unit.live.operators import Operator, apeople, astaff, watching

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_timer", "advanced")]

FEW, MANY = 100, 1_000


class Cost(NamedTuple):
    """What was read and sent for something."""

    queries: int
    rows_of_the_database: int
    calls_of_the_store: int
    watches: int
    commands_of_redis: int
    bytes_of_redis: int
    bytes_sent: int


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the operator's own affairs only what belongs to each second."""
    monkeypatch.setattr(authorization, "PERMISSION_CHECK_INTERVAL", 3600.0)
    # A tenth, so that a thousand sessions are as many windows as ten thousand are.
    monkeypatch.setattr(search, "WINDOW_SIZE", 100)


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
async def kind(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    if request.param == "redis":
        request.getfixturevalue("on_redis")
    yield request.param
    await stores.current().aclose()


class Meter:
    """Counts what is read."""

    def __init__(self, *, redis: bool) -> None:
        self.queries = self.rows = self.calls = self.watches = 0
        self._redis = shared_redis().client() if redis else None

    @contextmanager
    def running(self) -> Iterator[Meter]:
        execute, cursor_iter, store = CursorWrapper.execute, compiler.cursor_iter, stores.current()

        def executed(cursor: Any, *args: Any, **kwargs: Any) -> Any:
            self.queries += 1
            return execute(cursor, *args, **kwargs)

        def iterated(*args: Any, **kwargs: Any) -> Iterator[Any]:
            for chunk in cursor_iter(*args, **kwargs):
                self.rows += len(chunk)
                yield chunk

        def counted(part: Any, name: str) -> Any:
            asked = getattr(part, name)

            async def answered(*args: Any, **kwargs: Any) -> Any:
                self.calls += 1
                answer = await asked(*args, **kwargs)
                if name != "census":
                    self.watches += len(getattr(answer, "sessions", answer))
                return answer

            return mock.patch.object(part, name, answered)

        if self._redis is not None:
            self._redis.config_resetstat()
        with (
            mock.patch.object(CursorWrapper, "execute", executed),
            mock.patch.object(compiler, "cursor_iter", iterated),
            counted(store.statistics, "census"),
            counted(store.statistics, "list"),
            counted(store.sessions, "aget_many"),
        ):
            yield self

    def read(self, sent: int) -> Cost:
        commands = from_redis = 0
        if self._redis is not None:
            from_redis = self._redis.info("stats")["total_net_output_bytes"]
            commands = sum(each["calls"] for each in self._redis.info("commandstats").values())
            self._redis.close()
        return Cost(self.queries, self.rows, self.calls, self.watches, commands, from_redis, sent)


async def cost_of(operator: Operator, kind: str, **query: Any) -> Cost:
    """Return what it costs to answer a question, and to look once more."""
    before = sum(operator.sizes)
    with Meter(redis=kind == "redis").running() as meter:
        await operator.ask(**query)
        sent = sum(operator.sizes) - before
        return await sync_to_async(meter.read)(sent)


async def cost_of_seconds(operator: Operator, kind: str, seconds: int, acting: str | None = None) -> Cost:
    """Return what some seconds cost, while a session on the page is active, or all are idle."""
    before = sum(operator.sizes)
    with Meter(redis=kind == "redis").running() as meter:
        for _ in range(seconds):
            if acting is None:
                assert await operator.is_told_nothing(1.0)
            else:
                await stores.current().sessions.aapply(acting, Acted(0.0), now())
                await operator.next()
        return await sync_to_async(meter.read)(sum(operator.sizes) - before)


async def costs(kind: str, key: str, last: int) -> dict[str, Cost]:
    async with watching(key) as operator:
        found = {"ends": await cost_of(operator, kind, sort="ends")}
        found["idle, by deadline"] = await cost_of_seconds(operator, kind, 3)
        found["last by deadline"] = await cost_of(operator, kind, sort="ends", page=last)
        found["warned"] = await cost_of(operator, kind, sort="user", phase="warned")
        found["search"] = await cost_of(operator, kind, sort="user", search="user000007")
        found["search by deadline"] = await cost_of(operator, kind, sort="ends", search="user000007")
        found["last by user"] = await cost_of(operator, kind, sort="user", page=last)
        found["user"] = await cost_of(operator, kind, sort="user")
        found["idle, by user"] = await cost_of_seconds(operator, kind, 3)
        found["one acts, by user"] = await cost_of_seconds(operator, kind, 3, acting=operator.order[7])
    return found


async def test_what_is_not_visible_costs_nothing(kind: str):
    signed = await astaff("zoe")
    # One row less than the page has, so that it is as full as that of the many.
    await apeople(FEW)
    few = await costs(kind, signed.key, 2)
    await apeople(MANY - FEW, start=FEW)
    assert (await stores.current().statistics.census()).active == MANY + 1
    many = await costs(kind, signed.key, 20)
    for name, cost in many.items():
        # Two pages: that of the ids and that of the faces; of the latter the names too.
        assert cost.rows_of_the_database <= 320, name
        # Beside the page, one round may fall into it, and each second the operator's own session is looked at.
        assert cost.watches <= 320, name
        assert cost.queries <= 12, name
        assert cost.calls_of_the_store <= 16, name
        assert cost.bytes_sent <= 1.2 * few[name].bytes_sent + 200, name
        assert cost.bytes_of_redis <= 1.5 * few[name].bytes_of_redis + 15_000, name
        assert cost.commands_of_redis <= 1.5 * few[name].commands_of_redis + 100, name
    assert many["idle, by deadline"].queries == 0
    assert many["idle, by deadline"].bytes_sent == 0
    assert many["idle, by user"].bytes_sent == 0
    assert many["one acts, by user"].bytes_sent < 3 * 250
    assert many["ends"].bytes_sent < 50 * 350


@pytest.mark.parametrize(
    ("query", "total", "windows"),
    [
        # A search that all match, in the order of the store: the first are enough.
        ({"search": "user"}, MANY, 1),
        ({"search": "user", "sort": "-ends"}, MANY, 1),
        # A filter that neither few nor all but few are left by, in the order of the database.
        ({"connected": "yes", "sort": "user"}, MANY // 4, 2),
        ({"connected": "yes", "sort": "-started", "page": 3}, MANY // 4, 6),
        # Both: how many there are is known when all have been looked at.
        ({"connected": "yes", "sort": "user", "search": "firefox"}, MANY // 4, 10),
        ({"connected": "yes", "sort": "ends", "search": "firefox"}, MANY // 4, 3),
    ],
)
async def test_what_many_match_is_exact_and_reads_window_by_window(
    kind: str, query: dict[str, Any], total: int, windows: int
):
    people = await apeople(MANY)
    store = stores.current()
    # Of every second, who has Firefox, every second has a tab.
    await asyncio.gather(*(store.sessions.aapply(each.id, TabOpened("p", 60), now()) for each in people[::4]))
    message = parse(json.dumps({"type": "watch", "query": 1, **query}))
    assert isinstance(message, WatchMessage)
    question, census = message.to_query(), await store.statistics.census()
    with Meter(redis=kind == "redis").running() as meter:
        found = await find(question, census)
        cost = await sync_to_async(meter.read)(0)
    assert (found.total, found.bounded, len(found.watch_ids)) == (total, False, question.size)
    assert cost.watches <= windows * search.WINDOW_SIZE
