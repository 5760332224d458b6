"""What every store does, through both of its faces. `now` is always a literal; a session begins at 0."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier
from typing import Any

import pytest
from msgspec.structs import replace

from idlewatch.core.activity import Activity, Reason
from idlewatch.core.events import (
    Acted,
    Event,
    Extended,
    Held,
    Reported,
    Requested,
    SignedIn,
    TabClosed,
    TabOpened,
    TabsCounted,
)
from idlewatch.core.policy import UNWARNED, Phase, Policy, Shown
from idlewatch.exceptions import HoldRefused, TooManyTabs
from idlewatch.store.base import CHANGE_BATCH, Store
from idlewatch.store.transitions import CHECK_BATCHES, CHECK_FRACTION
from idlewatch.store.values import Census, Due, Sample, Watched
from tests.support.facts import signed_in
from tests.unit.store.conftest import Face

POLICY = Policy(idle_timeout=900, warn_before=120, absolute_timeout=43200, close_grace=300, checkpoint=60)
WARNING = 780.0
END = 900.0
LEASE = 10.0
WORKERS, TIMES = 8, 100


def watched(watch_id: str = "w1", activity: Activity | None = None, **fields: object) -> Watched:
    facts = {"user": "7", "key": "k1", "policy": POLICY, "activity": activity or signed_in(), **fields}
    return Watched(id=watch_id, **facts)  # type: ignore[arg-type]


@pytest.fixture
def live(store: Store) -> Store:
    """A store with one session, `w1`, that began at 0."""
    store.sessions.open(watched(), 0.0)
    return store


@pytest.fixture
def live_face(face: Face) -> Face:
    face.store.sessions.open(watched(), 0.0)
    return face


async def claim(store: Store, due: Due, now: float, limit: int = 100) -> Sequence[Watched]:
    return await store.queue.claim(due, now, limit, LEASE)


async def claim_one(store: Store, due: Due, now: float) -> Watched:
    (claimed,) = await claim(store, due, now)
    return claimed


async def settle(store: Store, claimed: Watched, now: float) -> Watched | None:
    (settled,) = await store.queue.settle([claimed], now)
    return settled


class TestOpening:
    async def test_keeps_what_it_was_given_until_it_changes(self, face: Face) -> None:
        opened = await face.open(watched(), 0.0)
        assert opened == replace(watched(), version=opened.version)
        assert await face.get("w1") == opened
        touched = await face.apply("w1", Acted(), 50.0)
        assert await face.open(watched(user="8", key="k2"), 60.0) == touched

    async def test_is_refused_by_the_tombstone_of_a_watch_that_was_ended_unknown(self, face: Face) -> None:
        ended = await face.end("w1", Reason.REVOKED, 5.0)
        assert (ended.id, ended.activity.ended, ended.activity.reason) == ("w1", 5.0, Reason.REVOKED)
        assert await face.get("w1") == await face.open(watched(), 6.0) == ended

    async def test_goes_on_above_the_versions_of_a_store_that_was_lost(self, face: Face) -> None:
        opened = await face.open(watched(), 1_700_000_000.25)
        assert opened.version >= 1_700_000_000_250
        assert (await face.open(watched("w2", version=2_000_000_000_000), 1_700_000_000.0)).version >= 2_000_000_000_000

    async def test_keeps_what_has_limits_beyond_all_reason(self, face: Face) -> None:
        limits = replace(POLICY, idle_timeout=1e300, absolute_timeout=None, checkpoint=1e200)
        await face.open(watched(policy=limits), 0.0)
        assert (await face.apply("w1", Extended(), 1.0)) is not None
        assert await claim(face.store, Due.CHECK, 1e15) == []

    async def test_of_a_watch_in_its_warned_stretch_is_due_at_once(self, face: Face) -> None:
        await face.open(watched(), 800.0)
        assert (await claim_one(face.store, Due.PUSH, 800.0)).id == "w1"

    async def test_of_a_resumed_one_lists_it_as_its_tabs_were_told_unless_it_ended(self, face: Face) -> None:
        await face.open(watched(activity=signed_in().finished(Reason.LOGOUT, 5.0)), 6.0)
        resumed = await face.open(watched("w2", shown=Shown(Phase.WARNED, Reason.IDLE, True)), 800.0)
        assert list((await face.store.statistics.list(Phase.WARNED, False, 0, 10)).sessions) == [resumed]
        assert await face.store.statistics.census() == Census(0, 1, 0)

    async def test_of_many_keeps_each_that_is_unknown_as_if_it_were_opened_alone(self, face: Face) -> None:
        known, dead = await face.open(watched(), 0.0), await face.end("w2", Reason.REVOKED, 0.0)
        alone = await face.open(watched("alone"), 800.0)
        many = [watched(f"w{number}", user="8") for number in range(1, 2 * CHANGE_BATCH)]
        assert set(await face.open_many(many, 800.0)) == {"w1", "w2"}
        first, second, *others = [await face.get(each.id) for each in many]
        assert (first, second) == (known, dead)
        assert others == [replace(each, version=alone.version) for each in many[2:]]
        due = await claim(face.store, Due.PUSH, 800.0, limit=1000)
        assert {each.id for each in due} == {"alone", *(each.id for each in many)}
        assert (await face.store.statistics.census()).active == len(many)
        assert set(await face.open_many(many, 900.0)) == {each.id for each in many}
        assert await face.get("w3") == others[0]

    async def test_an_unknown_watch_is_nothing(self, face: Face) -> None:
        assert await face.get("unknown") is None
        assert await face.apply("unknown", Requested(), 1.0) is None
        assert await face.get("unknown") is None


class TestEvents:
    @pytest.mark.parametrize("event", [Acted(ago=3.0), Requested(), Extended(), Held("upload"), TabOpened("p1", 50)])
    async def test_change_the_facts_as_they_say_and_the_version(self, face: Face, event: Event) -> None:
        opened = await face.open(watched(), 0.0)
        changed = await face.apply("w1", event, 100.0)
        assert changed is not None
        assert changed != opened
        assert changed.version > opened.version
        assert await face.get("w1") == changed

    async def test_that_change_nothing_leave_the_version(self, live_face: Face) -> None:
        before = await live_face.apply("w1", Requested(), 100.0)
        assert await live_face.apply("w1", Acted(ago=50.0), 100.0) == before

    async def test_that_are_refused_change_nothing(self, face: Face) -> None:
        opened = await face.open(watched(policy=replace(POLICY, hold_limit=0.0)), 0.0)
        with pytest.raises(HoldRefused):
            await face.apply("w1", Held("upload"), 1.0)
        with pytest.raises(TooManyTabs):
            await face.apply("w1", TabOpened("p1", 0), 1.0)
        assert await face.get("w1") == opened

    @pytest.mark.rule("R1")
    async def test_by_the_limits_alone_is_none_before_a_limit(self, live_face: Face) -> None:
        present = await live_face.get("w1")
        assert await live_face.end("w1", None, END - 0.25) == present
        assert (await live_face.end("w1", None, END)).activity.reason is Reason.IDLE
        assert (await live_face.end("unknown", None, END)).activity.reason is Reason.LOST

    async def test_after_the_deadline_find_the_session_ended_for_good(self, live_face: Face) -> None:
        found = await live_face.apply("w1", Requested(), END)
        assert found is not None
        assert (found.activity.ended, found.activity.reason) == (END, Reason.IDLE)
        # From a process whose clock is a little behind.
        assert await live_face.apply("w1", Extended(), END - 1) == found

    @pytest.mark.rule("R1")
    @pytest.mark.parametrize("event", [Requested(), Acted()])
    async def test_that_came_too_late_are_let_in_by_no_word_written_after_them(
        self, live_face: Face, event: Event
    ) -> None:
        reported = await live_face.apply("w1", Reported(0.0), END + 1)
        assert reported is not None
        assert reported.activity.ended is None
        found = await live_face.apply("w1", event, END + 0.5)
        assert found is not None
        assert (found.activity.ended, found.activity.reason) == (END, Reason.IDLE)


class TestSigningInAgain:
    async def test_transfers_a_session_to_another_user_and_leaves_its_clocks(self, live: Store) -> None:
        policy = Policy(idle_timeout=60.0)
        before = live.sessions.apply("w1", Extended(), 5.0)
        assert before is not None
        after = live.sessions.transfer(watched(user="9", key="k2", policy=policy, activity=signed_in(50.0)), 50.0)
        assert (after.user, after.key, after.policy, after.activity) == ("9", "k2", policy, before.activity)
        assert after.version > before.version
        assert live.sessions.get("w1") == after
        over = live.sessions.transfer(watched(user="8"), 65.0)
        assert (over.user, over.activity.reason) == ("9", Reason.IDLE)

    @pytest.mark.rule("R3")
    @pytest.mark.rule("R16")
    async def test_restarts_the_clocks_with_the_new_key_and_limits(self, store: Store) -> None:
        opened = store.sessions.restart(watched(), 0.0)
        assert store.sessions.get("w1") == opened
        policy = replace(POLICY, idle_timeout=600.0)
        again = store.sessions.restart(watched(key="k2", policy=policy, activity=signed_in(500.0)), 500.0)
        assert (again.key, again.policy, again.activity.logged_in_at, again.activity.active) == (
            "k2",
            policy,
            500.0,
            500.0,
        )
        assert again.version > opened.version
        assert store.sessions.get("w1") == again

    @pytest.mark.parametrize("now", [500.0, END])
    async def test_revives_nothing(self, live: Store, now: float) -> None:
        if now < END:
            live.sessions.end("w1", Reason.LOGOUT, now)
        again = live.sessions.restart(watched(activity=signed_in(now)), now)
        assert again.activity.ended == now
        assert live.sessions.apply("w1", Extended(), now - 1) == again

    async def test_a_rotation_of_the_key_loses_no_push_under_way(self, live: Store) -> None:
        claimed = await claim_one(live, Due.PUSH, WARNING)
        live.sessions.bind("w1", "k9")
        live.sessions.bind("unknown", "k9")
        bound = live.sessions.get("w1")
        assert bound is not None
        assert bound.key == "k9"
        assert live.sessions.get("unknown") is None
        assert await settle(live, claimed, WARNING) is not None


class TestEnding:
    @pytest.mark.parametrize(
        ("now", "expected"), [(10.0, (10.0, Reason.LOGOUT)), (END + 50, (END, Reason.IDLE))], ids=["", "by the clock"]
    )
    async def test_the_first_reason_stays(self, live_face: Face, now: float, expected: tuple[float, Reason]) -> None:
        ended = await live_face.end("w1", Reason.LOGOUT, now)
        assert (ended.activity.ended, ended.activity.reason) == expected
        assert await live_face.end("w1", Reason.REVOKED, now + 1) == ended

    @pytest.mark.rule("R9")
    @pytest.mark.parametrize("event", [Acted(), Requested(), Extended(), SignedIn(), Held("a"), TabsCounted("p1", 1)])
    async def test_is_final(self, live_face: Face, event: Event) -> None:
        ended = await live_face.end("w1", Reason.LOGOUT, 10.0)
        assert await live_face.apply("w1", event, 11.0) == ended
        assert await live_face.apply("w1", event, 9.0) == ended


class TestClaiming:
    async def test_nothing_is_due_before_its_moment_which_activity_moves(self, live: Store) -> None:
        assert not await claim(live, Due.PUSH, WARNING - 0.25)
        live.sessions.apply("w1", Acted(), 700.0)
        assert not await claim(live, Due.PUSH, WARNING)
        assert await live.queue.next_due(Due.PUSH) == 700.0 + 780.0
        assert (await claim_one(live, Due.PUSH, 700.0 + 780.0)).id == "w1"

    @pytest.mark.rule("R7")
    async def test_another_takes_over_when_the_lease_lapses(self, live: Store) -> None:
        await claim(live, Due.PUSH, WARNING)
        assert await live.queue.next_due(Due.PUSH) == WARNING + LEASE
        assert (await claim_one(live, Due.PUSH, WARNING + LEASE)).id == "w1"

    async def test_takes_no_more_than_asked_and_the_earliest_first(self, store: Store) -> None:
        for index in (3, 1, 2, 0):
            store.sessions.open(watched(f"w{index}", signed_in(float(index))), float(index))
        assert [each.id for each in await claim(store, Due.PUSH, 800.0, limit=2)] == ["w0", "w1"]
        assert [each.id for each in await claim(store, Due.PUSH, 800.0, limit=9)] == ["w2", "w3"]


class TestSettling:
    async def test_makes_the_verdict_what_is_shown(self, live: Store) -> None:
        claimed = await claim_one(live, Due.PUSH, WARNING)
        assert (claimed.shown, claimed.unfinished) == (UNWARNED, False)
        settled = await settle(live, claimed, WARNING)
        assert settled is not None
        assert settled.shown == (Phase.WARNED, Reason.IDLE, True)
        assert settled.version > claimed.version
        assert settled.activity.warnings == 1

    async def test_is_lost_to_what_raced_in_and_leaves_due_what_is_due(self, live: Store) -> None:
        claimed = await claim_one(live, Due.PUSH, WARNING)
        live.sessions.apply("w1", TabOpened("p1", 50), WARNING)
        assert await settle(live, claimed, WARNING) is None
        again = await claim_one(live, Due.PUSH, WARNING)
        extended = live.sessions.apply("w1", Extended(), WARNING)
        assert await settle(live, again, WARNING) is None
        assert live.sessions.get("w1") == extended
        assert not await claim(live, Due.PUSH, WARNING + LEASE)

    async def test_an_end_is_final_from_its_own_moment(self, live: Store) -> None:
        settled = await settle(live, await claim_one(live, Due.PUSH, END + 2), END + 2)
        assert settled is not None
        assert (settled.activity.ended, settled.activity.reason) == (END, Reason.IDLE)
        assert live.sessions.apply("w1", Extended(), END - 1) == settled


class TestConfirming:
    async def test_of_a_claim_that_had_nothing_to_tell_gives_it_back(self, live: Store) -> None:
        claimed = await claim_one(live, Due.PUSH, WARNING)
        await live.queue.confirm(Due.PUSH, [claimed], WARNING)
        assert await claim(live, Due.PUSH, WARNING)

    async def test_of_nothing_known_does_nothing(self, store: Store) -> None:
        assert list(await store.queue.settle([], 1.0)) == []
        for due in Due:
            for batch in ([], [watched()]):
                await store.queue.confirm(due, batch, 1.0)
            assert not await claim(store, due, 1e9)

    async def test_what_was_settled_and_not_confirmed_is_published_again(self, live: Store) -> None:
        await settle(live, await claim_one(live, Due.PUSH, WARNING), WARNING)
        touched = live.sessions.apply("w1", TabOpened("p1", 50), WARNING + 1)
        assert touched is not None
        assert not await claim(live, Due.PUSH, WARNING + LEASE - 0.25)
        again = await claim_one(live, Due.PUSH, WARNING + LEASE)
        assert again == replace(touched, unfinished=True)
        await live.queue.confirm(Due.PUSH, [again], WARNING + LEASE)
        assert not await claim(live, Due.PUSH, WARNING + 3 * LEASE)
        assert live.sessions.get("w1") == touched

    async def test_of_an_older_version_neither_gives_back_nor_confirms_a_newer_one(self, live: Store) -> None:
        older = await settle(live, await claim_one(live, Due.PUSH, WARNING), WARNING)
        assert older is not None
        live.sessions.apply("w1", Extended(), WARNING + 1)
        claimed = await claim_one(live, Due.PUSH, WARNING + 1)
        await live.queue.confirm(Due.PUSH, [older], WARNING + 2)
        assert not await claim(live, Due.PUSH, WARNING + 2)
        newer = await settle(live, claimed, WARNING + 2)
        assert newer is not None
        await live.queue.confirm(Due.PUSH, [older], WARNING + 2)
        # The claimant that settled the newer one died.
        again = await claim_one(live, Due.PUSH, WARNING + 1 + LEASE)
        assert (again.version, again.unfinished) == (newer.version, True)

    async def test_gives_back_a_claim_of_the_same_version_which_is_due_at_once(self, live: Store) -> None:
        warned = await settle(live, await claim_one(live, Due.PUSH, WARNING), WARNING)
        assert warned is not None
        await claim_one(live, Due.PUSH, END)
        await live.queue.confirm(Due.PUSH, [warned], END)
        assert (await claim_one(live, Due.PUSH, END)).id == "w1"

    async def test_what_its_tabs_were_told_already_is_handed_out_once_at_most(self, live: Store) -> None:
        warned = await settle(live, await claim_one(live, Due.PUSH, WARNING), WARNING)
        assert warned is not None
        await live.queue.confirm(Due.PUSH, [warned], WARNING)
        # A request that arrived before the warning is written after it.
        live.sessions.apply("w1", TabOpened("p1", 50), WARNING - 0.25)
        await live.queue.confirm(Due.PUSH, await claim(live, Due.PUSH, WARNING + 1), WARNING + 1)
        assert not await claim(live, Due.PUSH, WARNING + 1)
        assert (await claim_one(live, Due.PUSH, END)).id == "w1"

    async def test_a_settle_that_came_too_late_gives_back_no_newer_claim(self, live: Store) -> None:
        stalled = await claim_one(live, Due.PUSH, WARNING)
        live.sessions.apply("w1", TabOpened("p1", 50), WARNING + 1)
        await claim_one(live, Due.PUSH, WARNING + LEASE)
        assert await settle(live, stalled, WARNING + LEASE) is None
        assert not await claim(live, Due.PUSH, WARNING + LEASE)

    async def test_what_is_settled_by_a_claimant_whose_claim_was_given_back_is_due_at_once(self, live: Store) -> None:
        first = await settle(live, await claim_one(live, Due.PUSH, END), END)
        assert first is not None
        second = await claim_one(live, Due.PUSH, END + LEASE)
        await live.queue.confirm(Due.PUSH, [first], END + LEASE)
        assert await settle(live, second, END + LEASE) is not None
        assert (await claim_one(live, Due.PUSH, END + LEASE)).unfinished

    async def test_what_a_stalled_claimant_settled_is_not_lost_when_its_successor_gives_up(self, live: Store) -> None:
        stalled = await claim_one(live, Due.PUSH, WARNING)
        successor = await claim_one(live, Due.PUSH, WARNING + LEASE)
        assert await settle(live, stalled, WARNING + LEASE) is not None
        assert await settle(live, successor, WARNING + LEASE) is None
        # The stalled one died before it published.
        assert (await claim_one(live, Due.PUSH, WARNING + 2 * LEASE)).unfinished


class TestBatches:
    MANY = 250
    """More than any store changes in one step."""

    async def test_settle_each_session_by_itself_and_answer_in_order(self, store: Store) -> None:
        for watch_id in ("w1", "w2", "w3"):
            store.sessions.open(watched(watch_id), 0.0)
        claimed = {each.id: each for each in await claim(store, Due.PUSH, WARNING)}
        store.sessions.apply("w2", Extended(), WARNING)
        batch = [claimed["w3"], watched("unknown"), claimed["w2"], claimed["w1"]]
        settled = await store.queue.settle(batch, WARNING)
        assert {each.shown.phase for each in settled if each} == {Phase.WARNED}
        assert list(settled) == [store.sessions.get("w3"), None, None, store.sessions.get("w1")]

    async def test_settle_and_confirm_many(self, store: Store) -> None:
        for index in range(self.MANY):
            store.sessions.open(watched(f"w{index:03}"), 0.0)
        claimed = await claim(store, Due.PUSH, END, limit=self.MANY)
        settled = [each for each in await store.queue.settle(claimed, END) if each]
        assert [each.id for each in settled] == [each.id for each in claimed]
        assert {each.activity.reason for each in settled} == {Reason.IDLE}
        await store.queue.confirm(Due.PUSH, settled, END)
        assert not await claim(store, Due.PUSH, 1e9)
        ended = await claim(store, Due.RECORD, END, limit=self.MANY)
        assert len(ended) == self.MANY
        await store.queue.confirm(Due.RECORD, ended, END)
        assert not await claim(store, Due.RECORD, 1e9)

    async def test_take_the_tabs_of_those_that_ended_off_their_process(self, store: Store) -> None:
        await store.presence.renew("p1", END, LEASE)
        for watch_id in ("w1", "w2"):
            store.sessions.open(watched(watch_id), 0.0)
            store.sessions.apply(watch_id, TabOpened("p1", 50), 0.0)
        settled = await store.queue.settle(await claim(store, Due.PUSH, END), END)
        assert list(await store.presence.reap(END + LEASE)) == ["p1"]
        assert [store.sessions.get(each.id) for each in settled if each] == list(settled)


class TestChecks:
    async def test_come_round_within_the_checkpoint_and_sooner_where_one_left_a_doubt(self, live: Store) -> None:
        first = await claim_one(live, Due.CHECK, 63.0)
        assert not first.unfinished
        assert not await claim(live, Due.CHECK, 63.0)
        await live.queue.confirm(Due.CHECK, [first], 63.0)
        assert not await claim(live, Due.CHECK, 107.75)
        assert await live.queue.next_due(Due.CHECK) == 63.0 + POLICY.checkpoint * CHECK_FRACTION
        second = await claim_one(live, Due.CHECK, 108.0)
        await live.queue.confirm(Due.CHECK, [second], 108.0, doubted={"w1"})
        assert not await claim(live, Due.CHECK, 112.75)
        third = await claim_one(live, Due.CHECK, 113.0)
        assert third.unfinished
        await live.queue.confirm(Due.CHECK, [third], 113.0)
        assert not (await claim_one(live, Due.CHECK, 158.0)).unfinished

    async def test_come_together_for_those_that_were_checked_at_nearly_the_same_moment(self, store: Store) -> None:
        interval = POLICY.checkpoint * CHECK_FRACTION
        part = interval / CHECK_BATCHES
        for number in range(20):
            at = 900.0 + number * part / 20
            store.sessions.open(watched(f"w{number}", signed_in(at)), at)
        for turn in range(1, 4):
            at = 900.0 + interval * turn
            assert not await claim(store, Due.CHECK, at - 0.25)
            claimed = await claim(store, Due.CHECK, at)
            assert len(claimed) == 20
            for number, each in enumerate(claimed):
                await store.queue.confirm(Due.CHECK, [each], at + number * part / 20)

    async def test_by_a_claimant_that_was_stopped_change_nothing_of_a_later_one(self, live: Store) -> None:
        stopped = await claim_one(live, Due.CHECK, 60.0)
        other = await claim_one(live, Due.CHECK, 81.0)
        await live.queue.confirm(Due.CHECK, [other], 81.0)
        await live.queue.confirm(Due.CHECK, [stopped], 60.0, doubted={"w1"})
        assert not await claim(live, Due.CHECK, 125.75)
        assert not (await claim_one(live, Due.CHECK, 126.0)).unfinished

    async def test_of_sessions_that_are_resumed_at_one_moment_are_spread_over_the_interval(self, store: Store) -> None:
        for number in range(200):
            store.sessions.open(watched(f"w{number}"), 1001.0)
        interval = POLICY.checkpoint * CHECK_FRACTION
        counts = []
        for part in range(1, 11):
            claimed = await claim(store, Due.CHECK, 1001.0 + interval * part / 10, limit=200)
            await store.queue.confirm(Due.CHECK, claimed, 1001.0 + interval * part / 10)
            counts.append(len(claimed))
        assert sum(counts) == 200
        assert all(10 <= count <= 30 for count in counts)


class TestWaking:
    @staticmethod
    def calls(store: Store, due: Due) -> list[str]:
        calls: list[str] = []
        store.queue.on_due_sooner(due, lambda: calls.append("sooner"))
        return calls

    async def test_those_who_sleep_are_woken_when_something_is_due_sooner_and_only_then(self, store: Store) -> None:
        calls = self.calls(store, Due.PUSH)
        store.sessions.open(watched(), 0.0)
        assert await store.queue.next_due(Due.PUSH) == WARNING
        store.sessions.apply("w1", Requested(), 10.0)
        store.sessions.apply("w1", Held("upload"), 20.0)
        store.sessions.open(watched("w2", signed_in(30.0)), 30.0)
        assert calls == []
        store.sessions.end("w1", Reason.LOGOUT, 40.0)
        assert calls == ["sooner"]
        assert await store.queue.next_due(Due.PUSH) == 40.0

    async def test_a_claim_may_return_until_when_its_caller_sleeps(self, store: Store) -> None:
        calls = self.calls(store, Due.PUSH)
        for index in range(3):
            store.sessions.open(watched(f"w{index}", signed_in(float(index))), float(index))
        claimed, next_at = await store.queue.claim_next(Due.PUSH, WARNING, 10, LEASE)
        assert ([each.id for each in claimed], next_at) == (["w0"], WARNING + 1)
        assert await store.queue.claim_next(Due.PUSH, WARNING, 10, LEASE) == ([], WARNING + 1)
        settled = [each for each in await store.queue.settle(claimed, WARNING) if each]
        await store.queue.confirm(Due.PUSH, settled, WARNING)
        assert calls == []
        store.sessions.end("w2", Reason.LOGOUT, WARNING + 0.5)
        assert calls == ["sooner"]
        claimed, next_at = await store.queue.claim_next(Due.PUSH, WARNING + 2, 10, LEASE)
        assert [each.id for each in claimed] == ["w2", "w1"]
        assert next_at is not None
        # A lease that is not needed any more may be waited for as well.
        assert WARNING + 2 < next_at <= WARNING + 2 + LEASE

    async def test_one_kind_wakes_none_who_wait_for_another(self, live: Store) -> None:
        for due in Due:
            await live.queue.next_due(due)
        records, checks = self.calls(live, Due.RECORD), self.calls(live, Due.CHECK)
        live.sessions.apply("w1", TabOpened("p1", 50), 1.0)
        live.sessions.apply("w1", TabClosed("p1", closed=True), 2.0)
        assert (records, checks) == ([], [])
        live.sessions.end("w1", Reason.LOGOUT, 10.0)
        assert (records, checks) == (["sooner"], [])


def at_once(work: Callable[[int], Any]) -> list[Any]:
    """Have threads do some work, all of them starting together."""
    start = Barrier(WORKERS)

    def one(index: int) -> Any:
        start.wait()
        return work(index)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(WORKERS) as pool:
            return list(pool.map(one, range(WORKERS)))
    finally:
        sys.setswitchinterval(interval)


class TestManyAtOnce:
    async def test_threads_and_event_loops_lose_no_change(self, live: Store) -> None:
        first = live.sessions.get("w1")
        assert first is not None

        async def extend() -> None:
            for _ in range(TIMES):
                await live.sessions.aapply("w1", Extended(), 1.0)
            await live.aclose()

        def work(index: int) -> None:
            if index % 2:
                asyncio.run(extend())
                return
            # All at one moment: changes that look alike are changes all the same.
            for _ in range(TIMES):
                live.sessions.apply("w1", Extended(), 1.0)

        at_once(work)
        last = live.sessions.get("w1")
        assert last is not None
        assert last.activity.extensions == WORKERS * TIMES
        assert last.version >= first.version + WORKERS * TIMES

    @pytest.mark.rule("R17")
    async def test_tabs_that_open_are_counted_each_and_no_more_than_allowed(self, live: Store) -> None:
        def open_tabs(index: int) -> int:
            opened = 0
            for _ in range(20):
                with suppress(TooManyTabs):
                    live.sessions.apply("w1", TabOpened(f"p{index}", 50), 1.0)
                    opened += 1
            return opened

        assert sum(at_once(open_tabs)) == 50
        last = live.sessions.get("w1")
        assert last is not None
        assert last.activity.tab_count == 50

    async def test_timers_share_what_is_due_and_get_never_the_same(self, store: Store) -> None:
        watches = [f"w{index:03}" for index in range(400)]
        for watch_id in watches:
            store.sessions.open(watched(watch_id), 0.0)

        async def claim_all() -> list[str]:
            claimed = []
            while batch := await claim(store, Due.PUSH, WARNING, limit=7):
                claimed += [each.id for each in batch]
            await store.aclose()
            return claimed

        parts = at_once(lambda _: asyncio.run(claim_all()))
        assert sorted(watch_id for part in parts for watch_id in part) == watches

    async def test_listeners_come_and_go_and_are_not_called_once_they_are_gone(self, store: Store) -> None:
        calls: list[int] = []

        async def next_due() -> None:
            await store.queue.next_due(Due.PUSH)
            await store.aclose()

        def work(index: int) -> None:
            for step in range(10):
                stop = store.queue.on_due_sooner(Due.PUSH, lambda: calls.append(index))
                asyncio.run(next_due())
                store.sessions.end(f"w{index}-{step}", Reason.LOGOUT, 10.0 - step)
                stop()

        at_once(work)
        assert calls
        calls.clear()
        await store.queue.next_due(Due.PUSH)
        store.sessions.end("w1", Reason.LOGOUT, 0.0)
        assert calls == []


class TestProcesses:
    async def test_a_process_is_known_from_its_second_sign_of_life_on_and_the_store_since_the_first(
        self, store: Store
    ) -> None:
        store.clear()
        assert not (await store.presence.renew("p1", 5.0, LEASE)).known
        renewal = await store.presence.renew("p1", 6.0, LEASE)
        assert (renewal.known, renewal.created_at) == (True, 5.0)

    async def test_the_tabs_of_a_dead_process_are_taken_back(self, store: Store) -> None:
        await store.presence.renew("p1", 0.0, LEASE)
        await store.presence.renew("p2", 0.0, LEASE)
        store.sessions.open(watched(), 0.0)
        for process in ("p1", "p1", "p2"):
            store.sessions.apply("w1", TabOpened(process, 50), 1.0)
        await store.presence.renew("p2", 9.0, LEASE)
        assert await store.presence.reap(LEASE - 0.25) == []
        assert list(await store.presence.reap(LEASE)) == ["p1"]
        left = store.sessions.get("w1")
        assert left is not None
        assert left.activity.tabs == {"p2": 1}
        assert left.activity.closed_at is None
        assert await store.presence.reap(LEASE) == []


async def test_its_condition_is_told_where_processes_share_it(store: Store) -> None:
    await store.presence.renew("p1", 0.0, LEASE)
    condition = await store.inspect()
    assert (condition is not None) == store.shared
    assert condition is None or condition.leases == {"p1": LEASE}


class TestListing:
    async def test_has_what_ends_at_one_moment_in_the_order_of_the_ids(self, store: Store) -> None:
        ids = ["b", "B", "_", "a", "-", "ab"]
        for index, watch_id in enumerate(ids):
            store.sessions.open(watched(watch_id), 0.0)
            if index % 2:
                store.sessions.apply(watch_id, TabOpened("p1", 50), 0.0)
        listing = await store.statistics.list(None, None, 0, 10)
        assert list(listing.sessions) == [store.sessions.get(watch_id) for watch_id in sorted(ids)]
        for offset, watch_id in enumerate(sorted(ids)):
            (found,) = (await store.statistics.list(None, None, offset, 1)).sessions
            assert found.id == watch_id

    async def test_is_cut_anywhere_from_either_end_under_any_filter(self, store: Store) -> None:
        expected: dict[tuple[Phase, bool], list[str]] = {}
        # Deadlines that lie between each other in a way of their own in each group, and one that two share.
        for index in range(13):
            phase, connected = Phase.WARNED if index % 3 == 0 else Phase.ACTIVE, index % 5 < 3
            shown = Shown(Phase.WARNED, Reason.IDLE, True) if phase is Phase.WARNED else UNWARNED
            store.sessions.open(watched(f"w{index:02}", signed_in(float(index // 2)), shown=shown), 10.0)
            if connected:
                store.sessions.apply(f"w{index:02}", TabOpened("p1", 50), 10.0)
            expected.setdefault((phase, connected), []).append(f"w{index:02}")
        assert len(expected) == 4
        for phase in (None, Phase.WARNED, Phase.ACTIVE, Phase.ENDED):
            for connected in (None, True, False):
                everything = [
                    watch_id
                    for each in (Phase.WARNED, Phase.ACTIVE)
                    for watch_id in sorted(
                        expected[each, True] * (connected is not False)
                        + expected[each, False] * (connected is not True)
                    )
                    if phase in (None, each)
                ]
                for reverse in (False, True):
                    whole = everything[::-1] if reverse else everything
                    for offset, limit in [(0, 100), (0, 1), (1, 3), (3, 4), (4, 5), (5, 20), (12, 5), (13, 5), (50, 5)]:
                        listing = await store.statistics.list(phase, connected, offset, limit, reverse=reverse)
                        found = [each.id for each in listing.sessions]
                        assert (listing.total, found) == (len(whole), whole[offset : offset + limit])

    async def test_by_id_is_in_the_order_that_was_asked_for(self, live: Store) -> None:
        ended = live.sessions.end("w2", Reason.LOGOUT, 1.0)
        first = live.sessions.get("w1")
        assert list(await live.sessions.aget_many(["w2", "w1", "unknown", "w1"])) == [ended, first, None, first]
        assert list(await live.sessions.aget_many([])) == []


class TestSamples:
    EVERY = 15.0

    async def sample(self, store: Store, now: float, keep: float = 3600.0) -> Sequence[Sample]:
        await store.statistics.take_sample(now, self.EVERY, keep)
        return list(await store.statistics.samples(-1.0))

    async def test_count_each_end_once(self, live: Store) -> None:
        live.sessions.open(watched("w2"), 0.0)
        live.sessions.end("unknown", Reason.ACCOUNT, 1.0)
        for _ in range(2):
            live.sessions.end("w1", Reason.LOGOUT, 1.0)
        live.sessions.apply("w2", Requested(), END)
        for due in Due:
            for each in await claim(live, due, END):
                await settle(live, each, END)
                await live.queue.confirm(due, [each], END)
        assert await self.sample(live, END) == [Sample(END, 0, 0, 2)]
        assert (await self.sample(live, END + self.EVERY))[-1].ended == 0

    async def test_are_taken_once_however_many_ask(self, live: Store) -> None:
        take = live.statistics.take_sample
        taken = await asyncio.gather(*(take(index / 8, self.EVERY, 3600.0) for index in range(8)))
        assert [each for each in taken if each] == [Sample(0.0, 1, 0, 0)]
        assert len(await self.sample(live, self.EVERY - 0.25)) == 1
        assert [each.at for each in await self.sample(live, self.EVERY)] == [0.0, self.EVERY]

    async def test_that_are_too_old_or_of_a_clock_that_was_put_right_are_dropped(self, store: Store) -> None:
        for now in (0.0, self.EVERY):
            await self.sample(store, now)
        assert [each.at for each in await self.sample(store, 30.0, keep=20.0)] == [15.0, 30.0]
        await self.sample(store, 3600.0)
        assert [each.at for each in await self.sample(store, 60.0)] == [15.0, 30.0, 60.0]


async def test_what_is_cleared_begins_again(live: Store) -> None:
    await live.statistics.take_sample(0.0, 15.0, 3600.0)
    live.sessions.open(watched("w2"), 1.0)
    live.sessions.end("w1", Reason.LOGOUT, 2.0)
    live.clear()
    assert await live.sessions.aget_many(["w1", "w2"]) == [None, None]
    assert await live.statistics.census() == Census(0, 0, 0)
    assert list(await live.statistics.samples(-1.0)) == []
    assert await live.statistics.take_sample(4.0, 15.0, 3600.0) == Sample(4.0, 0, 0, 0)


@pytest.mark.rule("R23")
async def test_a_watch_does_not_show_its_key(store: Store) -> None:
    opened = store.sessions.open(watched(key="very-secret"), 0.0)
    assert "very-secret" not in f"{opened!r} {opened} {[opened]}"
