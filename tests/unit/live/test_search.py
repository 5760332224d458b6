from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import product
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from idlewatch.core.activity import Reason
from idlewatch.core.events import Acted, TabOpened
from idlewatch.core.policy import Phase
from idlewatch.live import search
from idlewatch.live.query import Query, Sort
from idlewatch.live.search import Results, find, last_page
from idlewatch.models import WatchedSession
from idlewatch.monitor import stores
from idlewatch.process import now
from idlewatch.store.values import Watched
from tests.unit.live.operators import apeople

pytestmark = pytest.mark.django_db(transaction=True)

COUNT = 24
PHASES = (None, Phase.ACTIVE, Phase.WARNED)
CONNECTED = (None, True, False)
SEARCHES = ((), ("user00000",), ("firefox", "10.0"))


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
async def crowd(request: pytest.FixtureRequest) -> AsyncIterator[Sequence[str]]:
    """Sessions of each kind: a third is warned, every other has a tab, all end at another moment, one has ended."""
    if request.param == "redis":
        request.getfixturevalue("on_redis")
    people = await apeople(COUNT)
    store, at = stores.current(), now()
    for number, person in enumerate(people):
        if number % 2:
            await store.sessions.aapply(person.id, TabOpened("p", 5), at)
        if number % 3 == 0:
            await warn(person.id)
    await stores.current().sessions.aend(people[5].id, Reason.REVOKED, at)
    yield [person.id for person in people]
    await store.aclose()


async def warn(watch_id: str) -> None:
    known = await stores.current().sessions.aget(watch_id)
    assert known is not None
    (settled,) = await stores.current().queue.settle([known], known.activity.logged_in_at + 800)
    assert settled is not None
    assert settled.shown.phase is Phase.WARNED


@pytest.mark.parametrize(("sort", "direction"), [*product(search.SORT_FIELDS, ("", "-"))])
def test_the_database_reads_a_page_in_the_order_of_an_index(sort: str, direction: str):
    rows = search.Search(ask(sort=Sort(f"{direction}{sort}")))._sorted_rows()
    plan = rows.values_list("pk", flat=True)[:50].explain()
    assert f"idlewatch_live_{search.SORT_FIELDS[sort]}" in plan
    assert "TEMP B-TREE" not in plan


def ask(**changes: Any) -> Query:
    return Query((), None, None, Sort.ENDS, 1, 25, "en")._replace(**changes)


Everything = tuple[Mapping[str, WatchedSession], Sequence[Watched | None]]
"""Every single session, as record and as watch."""


async def look_at_all() -> Everything:
    rows = await sync_to_async(lambda: {row.pk: row for row in WatchedSession.objects.all()})()
    return rows, await stores.current().sessions.aget_many(list(rows))


def expected(everything: Everything, ask: Query) -> list[str]:
    """Return what a look at every single session finds."""
    rows, watches = everything
    left = [each for each in watches if each is not None and ask.matches(each)]

    def has(watched: Watched, term: str) -> bool:
        row = rows[watched.id]
        return any(term.lower() in text.lower() for text in (row.username, row.address, row.user_agent))

    def key(watched: Watched) -> Any:
        row = rows[watched.id]
        if ask.sort.column == "ends":
            return watched.shown.phase is not Phase.WARNED, watched.verdict(now()).ends_at, watched.id
        return {"user": row.username, "started": row.started, "seen": row.last_active}[ask.sort.column], row.pk

    left = [each for each in left if all(has(each, term) for term in ask.terms)]
    return [each.id for each in sorted(left, key=key, reverse=ask.sort.is_descending)]


async def found(ask: Query) -> Results:
    return await find(ask, await stores.current().statistics.census())


ENDED = "w000005"


def questions() -> list[Query]:
    """Return queries of each kind: all of them for the memory store, every seventh for Redis, which answers slower."""
    every = [
        ask(sort=sort, phase=phase, connected=connected, terms=terms)
        for sort, phase, connected, terms in product(Sort, PHASES, CONNECTED, SEARCHES)
    ]
    return every[:: 7 if stores.current().shared else 1]


class TestExactness:
    @pytest.mark.parametrize("window", [1000, 9, 5])
    async def test_each_question_is_answered_as_by_a_look_at_all(
        self, crowd: Sequence[str], window: int, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(search, "WINDOW_SIZE", window)
        everything = await look_at_all()
        for question in questions():
            right, given = expected(everything, question), await found(question)
            # The database learns of an end a little later; its line is dropped when the store is asked for it.
            watches = [watch_id for watch_id in given.watch_ids if watch_id != ENDED]
            assert not given.bounded, question
            assert watches == right, question
            assert given.total - len(right) in {0, 1}, question

    async def test_of_too_many_to_look_at_all_it_names_the_first_and_says_so(
        self, crowd: Sequence[str], monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(search, "WINDOW_SIZE", 5)
        monkeypatch.setattr(search, "MAX_WINDOWS", 2)
        everything, bounded = await look_at_all(), 0
        for question in questions():
            right, given = expected(everything, question), await found(question)
            watches = [watch_id for watch_id in given.watch_ids if watch_id != ENDED]
            if given.bounded:
                bounded += 1
                assert watches == right[: len(watches)], question
                assert given.total == len(given.watch_ids), question
        assert 0 < bounded < len(questions())

    async def test_who_was_last_active_is_known_to_the_second_where_there_are_few(self, crowd: Sequence[str]):
        for watch_id in (crowd[3], crowd[7]):
            # The record has it a checkpoint later.
            await stores.current().sessions.aapply(watch_id, Acted(0.0), now() + 5)
        for terms in ((), ("user",)):
            pages = [await found(ask(sort=Sort.SEEN_DOWN, size=7, page=page, terms=terms)) for page in (1, 4)]
            assert set(pages[0].watch_ids[:2]) == {crowd[3], crowd[7]}
            assert not {crowd[3], crowd[7]} & set(pages[1].watch_ids)

    async def test_pages_follow_each_other_without_gap(self, crowd: Sequence[str], monkeypatch: pytest.MonkeyPatch):
        everything = await look_at_all()
        sorts = (Sort.ENDS, Sort.USER_DOWN) if stores.current().shared else Sort
        for window, sort, terms, phase in product((1000, 5), sorts, ((), ("user",)), (None, Phase.ACTIVE)):
            monkeypatch.setattr(search, "WINDOW_SIZE", window)
            question = ask(sort=sort, size=7, terms=terms, phase=phase)
            right = expected(everything, question)
            pages = [await found(question._replace(page=page)) for page in range(1, 5)]
            watches = [watch_id for given in pages[: last_page(pages[0].total, 7)] for watch_id in given.watch_ids]
            assert [watch_id for watch_id in watches if watch_id != ENDED] == right, question

    async def test_a_page_past_the_end_is_the_last_and_an_empty_table_has_one(self, crowd: Sequence[str]):
        for sort, terms in product(Sort, ((), ("user",))):
            given = await found(ask(sort=sort, size=10, page=1_000_000, terms=terms))
            assert given.page == 3, sort
            assert given.watch_ids, sort
        for sort in Sort:
            given = await found(ask(sort=sort, page=7, terms=("unknown",)))
            assert (given.total, given.page, given.watch_ids) == (0, 1, []), sort

    @pytest.mark.parametrize("term", ["100%", "a_b", "' OR 1=1 --", "\\", "\U0001f600", '"'])
    async def test_a_search_is_data(self, crowd: Sequence[str], term: str):
        assert (await found(ask(terms=(term,)))).total == 0


@pytest.mark.parametrize("terms", [(), ("user",)], ids=["all", "searched"])
@pytest.mark.parametrize("sort", Sort)
@pytest.mark.parametrize(("phase", "eighths"), [(Phase.ACTIVE, 6), (None, 7)])
async def test_filters_of_which_each_leaves_out_few_leave_out_what_any_does(
    sort: Sort, terms: tuple[str, ...], phase: Phase | None, eighths: int, monkeypatch: pytest.MonkeyPatch
):
    """An eighth was warned, another has no tab: those can be named, and what is left can't."""
    monkeypatch.setattr(search, "WINDOW_SIZE", 6)
    for number, person in enumerate(await apeople(COUNT)):
        if number % 8 != 1:
            await stores.current().sessions.aapply(person.id, TabOpened("p", 5), now())
        if number % 8 == 0:
            await warn(person.id)
    question = ask(sort=sort, phase=phase, connected=True, terms=terms)
    right, given = expected(await look_at_all(), question), await found(question)
    assert len(right) == COUNT * eighths // 8
    assert (given.total, given.watch_ids, given.bounded) == (len(right), right, False)
