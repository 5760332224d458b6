"""A store that lost data, or was away, is told what it is missing before anything in it ends by the clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError
from msgspec.structs import replace

from idlewatch.core.activity import Reason
from idlewatch.core.clock import as_datetime
from idlewatch.core.events import Acted, Held, Reported, Requested, TabOpened
from idlewatch.core.policy import Phase
from idlewatch.exceptions import StoreUnavailable, Undecided
from idlewatch.monitor import records, recovery, resumption
from idlewatch.monitor import service as monitor
from idlewatch.monitor.outage import REPORT_GRACE
from idlewatch.monitor.recovery import MAX_SILENCE
from idlewatch.store.redis.presence import PART_LEASE, RESUME_LEASE
from idlewatch.store.values import Watched
from tests.conftest import START, Time
from tests.support.outages import PREFIX, Member, Outage, outage
from tests.support.sockets import FakeTab
from tests.support.watches import arecord

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.redis]


@pytest.fixture
def shared(tmp_path: Path, clock: Time) -> Iterator[Outage]:
    with outage(tmp_path, clock, persistent=False) as made:
        yield made


@pytest.fixture
def in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each pass do one session."""
    monkeypatch.setattr(records, "BATCH_SIZE", 1)
    monkeypatch.setattr(resumption, "PARTS_AT_ONCE", 1)
    monkeypatch.setattr(recovery, "PASS_DURATION", 0.0)


def flush(shared: Outage) -> None:
    with shared.redis.client() as client:
        client.flushall()


class Copy:
    """What Redis has at one moment, to come back to: as from a snapshot, or from a replica that lagged."""

    def __init__(self, shared: Outage) -> None:
        self._shared = shared
        with shared.redis.client() as client:
            self._values = {key: client.dump(key) for key in client.keys()}  # noqa: SIM118 - no dictionary

    def restore(self, *, is_known: bool) -> None:
        """Put it back; `is_known`: the server can be told from the one before."""
        with self._shared.redis.client() as client:
            client.flushall()
            for key, value in self._values.items():
                client.restore(key, 86_400_000, value)
            if is_known:
                client.hset(f"{PREFIX}epoch", "lineage", "another")


async def extend(process: Member, watch_id: str, at: float) -> FakeTab:
    """Have a tab whose user acts; only its process and the store know."""
    tab = FakeTab()
    process.hub.join(watch_id, tab)
    with process.entered():
        await process.store.sessions.aapply(watch_id, Requested(), at)
    return tab


async def act_unheard(process: Member, watch_id: str) -> None:
    """Have a tab report activity by a call that fails."""
    unheard = mock.patch.object(process.recovery.sessions, "aapply", side_effect=StoreUnavailable)
    with process.entered(), unheard, pytest.raises(StoreUnavailable):
        await process.store.sessions.aapply(watch_id, Acted(), process.clock.now)


async def push(process: Member) -> None:
    """Let the lane of pushes alone have its turn, as while a round is under way."""
    with process.entered():
        await process.timer.push(process.clock.now)


async def present(process: Member, watch_id: str) -> Watched:
    found = await process.recovery.sessions.aget(watch_id)
    assert found is not None
    return found


class TestAnEmptyStore:
    """Idle limit 100, checkpoint 60: the record of an extended session is over long before the session is."""

    def test_gets_what_a_process_saw_with_the_first_request_that_finds_it_so(self, shared: Outage, clock: Time):
        web = shared.process("web")
        watch_id = web.sign_in().id
        shared.go_round()
        clock.pass_(95)
        web.store.sessions.apply(watch_id, Requested(), clock.now)
        # By its record it ended longer ago than a record may be out of date.
        clock.pass_(20)
        flush(shared)
        with web.entered():
            assert not monitor.has_ended(watch_id, clock.now)

    def test_ends_none_by_what_was_read_before_a_report(self, shared: Outage, clock: Time):
        web = shared.process("web")
        watch_id = web.sign_in().id
        with web.entered():
            clock.pass_(115)
            web.recovery.sessions.apply(watch_id, Reported(START + 95), clock.now)
            assert monitor.finish(watch_id, clock.now).verdict(clock.now).phase is Phase.ACTIVE
            clock.pass_(80)
            assert monitor.finish(watch_id, clock.now).activity.reason is Reason.IDLE

    async def test_is_looked_at_again_at_once_where_another_process_has_offered_nothing_yet(
        self, shared: Outage, clock: Time
    ):
        one, two = shared.process("one"), shared.process("two")
        watch_id = (await one.asign_in()).id
        await shared.around(REPORT_GRACE + 1)
        flush(shared)
        await one.timer.membership.renew_lease(clock.now)
        await two.around()
        assert two.recovery.is_behind
        await one.around()
        await two.around()
        assert not two.recovery.is_behind
        await present(two, watch_id)

    async def test_is_offered_the_last_records_again_where_it_did_not_answer(self, shared: Outage, clock: Time):
        one, two = shared.process("one"), shared.process("two")
        # The other process has not seen it, and has it from its record alone.
        watch_id = (await one.asign_in()).id
        await two.around()
        flush(shared)
        with mock.patch.object(type(two.store.presence), "offer_parts", side_effect=StoreUnavailable) as offer:
            await two.around()
        assert offer.called
        for _ in range(3):
            clock.pass_(1)
            await two.around()
        await present(two, watch_id)

    async def test_ends_nothing_in_any_process_before_it_was_resumed_and_all_had_the_time_to_report(
        self, shared: Outage, clock: Time, in_steps: None
    ):
        one, two = shared.process("one"), shared.process("two")
        sessions = [(await one.asign_in(checkpoint=60.0)).id for _ in range(14)]
        await shared.around(REPORT_GRACE + 1)
        clock.now = START + 50
        for watch_id in sessions:
            await extend(two, watch_id, clock.now)
        clock.now = START + 96
        flush(shared)
        for _ in range(8):
            # The second process has seen nothing of it yet, and its round takes long.
            await one.around()
            await push(two)
            clock.pass_(1)
        assert clock.now > START + 100
        # It sees it when nearly all is over, and holds the others up while it reports.
        await shared.around(len(sessions) + 1)
        for watch_id in sessions:
            assert (await present(one, watch_id)).activity.active == START + 50
        clock.now = START + 148
        await shared.around(1)
        assert [(await arecord(watch_id)).ended for watch_id in sessions] == [None] * 14
        await shared.around(2)
        assert [(await arecord(watch_id)).ended for watch_id in sessions] == [as_datetime(START + 150)] * 14

    @pytest.mark.parametrize("comes_back", [False, True], ids=["dies", "is stopped for a while"])
    async def test_is_resumed_by_another_process_where_the_first_does_not_go_on(
        self, shared: Outage, clock: Time, in_steps: None, comes_back: bool
    ):
        one, two = shared.process("one"), shared.process("two")
        idle = (await one.asign_in()).id
        live = [(await one.asign_in(idle_timeout=1000.0)).id for _ in range(4)]
        await shared.around(REPORT_GRACE + 1)
        clock.now = START + 90
        flush(shared)
        await one.around()
        shared.made.remove(one)
        await two.around()
        assert two.store.presence.is_holding_back(clock.now)
        await shared.around(RESUME_LEASE - 1)
        assert (await arecord(idle)).ended is None
        if comes_back:
            shared.made.append(one)
        await shared.around(8 + REPORT_GRACE)
        assert not two.store.presence.is_holding_back(clock.now)
        assert None not in await two.recovery.sessions.aget_many(live)
        assert (await arecord(idle)).ended == as_datetime(START + 100)
        if not comes_back:
            one.process.close()

    async def test_is_resumed_by_all_processes_together_each_record_once(
        self, shared: Outage, clock: Time, in_steps: None
    ):
        one, two = shared.process("one"), shared.process("two")
        live = [(await one.asign_in(idle_timeout=1000.0)).id for _ in range(6)]
        await shared.around(REPORT_GRACE + 1)
        flush(shared)
        with (
            mock.patch.object(one.recovery.sessions, "aopen_many", wraps=one.recovery.sessions.aopen_many) as by_one,
            mock.patch.object(two.recovery.sessions, "aopen_many", wraps=two.recovery.sessions.aopen_many) as by_two,
        ):
            await shared.around(5)
        opened = [[watched.id for call in by.call_args_list for watched in call.args[0]] for by in (by_one, by_two)]
        assert min(map(len, opened)) >= 2
        assert sorted(opened[0] + opened[1]) == sorted(live)
        await shared.around(REPORT_GRACE + 1)
        assert not two.store.presence.is_holding_back(clock.now)

    async def test_is_resumed_whole_where_a_process_dies_with_its_part(
        self, shared: Outage, clock: Time, in_steps: None
    ):
        one, two = shared.process("one"), shared.process("two")
        live = [(await one.asign_in(idle_timeout=1000.0)).id for _ in range(4)]
        await shared.around(REPORT_GRACE + 1)
        flush(shared)
        await one.around()
        created_at = (await two.store.presence.renew("two", clock.now, 10.0)).created_at
        assert (await two.store.presence.take_part(created_at, clock.now)).part
        shared.made.remove(two)
        await shared.around(PART_LEASE - 1)
        assert one.store.presence.is_holding_back(clock.now)
        await shared.around(3 + REPORT_GRACE)
        assert not one.store.presence.is_holding_back(clock.now)
        assert None not in await one.recovery.sessions.aget_many(live)
        two.process.close()

    async def test_is_resumed_whole_where_what_is_left_to_resume_is_evicted(
        self, shared: Outage, clock: Time, in_steps: None
    ):
        one = shared.process("one")
        live = [(await one.asign_in(idle_timeout=1000.0)).id for _ in range(4)]
        await shared.around(REPORT_GRACE + 1)
        flush(shared)
        await shared.around(2)
        with shared.redis.client() as client:
            assert client.delete(f"{PREFIX}parts:{one.process.name}")
        await shared.around(6 + REPORT_GRACE)
        assert not one.store.presence.is_holding_back(clock.now)
        assert None not in await one.recovery.sessions.aget_many(live)

    async def test_is_resumed_from_the_beginning_where_it_is_emptied_again(
        self, shared: Outage, clock: Time, in_steps: None
    ):
        one, two = shared.process("one"), shared.process("two")
        live = [(await one.asign_in(idle_timeout=1000.0)).id for _ in range(4)]
        await shared.around(REPORT_GRACE + 1)
        for _ in range(3):
            clock.pass_(1)
            flush(shared)
            await shared.around(2)
        assert two.store.presence.is_holding_back(clock.now)
        await shared.around(4 + REPORT_GRACE + 1)
        assert not two.store.presence.is_holding_back(clock.now)
        assert None not in await two.recovery.sessions.aget_many(live)

    async def test_hears_of_requests_from_the_process_that_served_them_also_where_their_session_has_no_tab_there(
        self, shared: Outage, clock: Time
    ):
        one, two = shared.process("one"), shared.process("two")
        watch_id = (await one.asign_in(checkpoint=60.0)).id
        await shared.around(REPORT_GRACE + 1)
        clock.now = START + 50
        with two.entered():
            await two.store.sessions.aapply(watch_id, Requested(), clock.now)
        clock.now = START + 99
        flush(shared)
        await shared.around(REPORT_GRACE + 2)
        assert (await present(one, watch_id)).activity.active == START + 50

    async def test_hears_the_rest_of_a_session_that_another_process_opens_meanwhile(
        self, shared: Outage, clock: Time, monkeypatch: pytest.MonkeyPatch
    ):
        one, two = shared.process("one"), shared.process("two")
        watch_id = (await one.asign_in(checkpoint=60.0)).id
        await shared.around(REPORT_GRACE + 1)
        clock.now = START + 50
        await extend(two, watch_id, clock.now)
        flush(shared)
        opening = two.recovery.sessions.aopen

        async def come_second(watched: Watched, now: float) -> Watched:
            older = replace(watched, activity=replace(watched.activity, active=START))
            await one.recovery.sessions.aopen(older, now)
            return await opening(watched, now)

        monkeypatch.setattr(two.recovery.sessions, "aopen", come_second)
        await two.around()
        assert (await present(two, watch_id)).activity.active == START + 50

    async def test_takes_no_end_from_a_process_that_does_not_know_yet(self, shared: Outage, clock: Time):
        one, two, three = (shared.process(name) for name in ("one", "two", "three"))
        watch_id, revoked = [(await one.asign_in(checkpoint=60.0)).id for _ in range(2)]
        await shared.around(REPORT_GRACE + 1)
        clock.now = START + 50
        for each in (watch_id, revoked):
            await extend(two, each, clock.now)
        clock.now = START + 99
        flush(shared)
        await one.around()
        clock.now = START + 101
        assert (await present(three, watch_id)).verdict(clock.now).phase is Phase.ENDED
        sessions = three.store.sessions
        with three.entered():
            for ask in (sessions.aget(watch_id), sessions.aapply(watch_id, Requested(), clock.now)):
                with pytest.raises(Undecided):
                    await ask
            with pytest.raises(StoreUnavailable):
                await sessions.aapply(watch_id, Acted(), clock.now)
            assert (await monitor.aend(revoked, Reason.REVOKED, clock.now)).activity.reason is Reason.REVOKED
        with two.entered():
            assert (await two.store.sessions.aget(watch_id)).activity.active == START + 50
        await two.around()
        await three.around()
        activity = (await present(two, watch_id)).activity
        assert (activity.active, activity.ended) == (START + 101, None)
        assert (await present(one, revoked)).activity.ended == START + 101

    @pytest.mark.parametrize("has_tab", [True, False], ids=["with a tab", "without"])
    async def test_hears_of_the_holds_that_a_process_has_seen(self, shared: Outage, clock: Time, has_tab: bool):
        one, two = shared.process("one"), shared.process("two")
        watch_id = (await one.asign_in(checkpoint=60.0)).id
        await shared.around(REPORT_GRACE + 1)
        clock.now = START + 90
        if has_tab:
            await extend(two, watch_id, START + 20)
        with two.entered():
            await two.store.sessions.aapply(watch_id, Held("upload"), clock.now)
        clock.now = START + 97
        flush(shared)
        await shared.around(REPORT_GRACE + 2)
        activity = (await present(one, watch_id)).activity
        assert activity.ended is None
        # Without a tab here, it may have been released elsewhere.
        assert activity.idle_from(clock.now, 300.0) == START + (98 if has_tab else 90)

    @pytest.mark.parametrize("reports", [True, False], ids=["reports at last", "never reports"])
    async def test_waits_for_a_process_that_is_kept_from_reporting_but_not_for_ever(
        self, shared: Outage, clock: Time, reports: bool
    ):
        one, two = shared.process("one"), shared.process("two")
        watch_id = (await one.asign_in(checkpoint=60.0)).id
        await shared.around(REPORT_GRACE + 1)
        clock.now = START + 50
        await extend(two, watch_id, clock.now)
        clock.now = START + 96
        flush(shared)
        for _ in range(int(MAX_SILENCE) - 1):
            await one.around()
            # A statement of its round hangs; the lease is renewed beside it.
            with two.entered():
                await two.timer.membership.renew_lease(clock.now)
            clock.pass_(1)
        assert (await arecord(watch_id)).ended is None
        if reports:
            await shared.around(2)
            assert (await present(one, watch_id)).activity.active == START + 50
            return
        for _ in range(int(REPORT_GRACE) + 3):
            await one.around()
            with two.entered():
                await two.timer.membership.renew_lease(clock.now)
            clock.pass_(1)
        assert (await arecord(watch_id)).ended == as_datetime(START + 100)

    async def test_goes_by_its_facts_where_no_timer_comes_to_resume_it(self, shared: Outage, clock: Time):
        web = shared.process("web")
        watch_id = (await web.asign_in()).id
        clock.now = START + 100
        with web.entered():
            with pytest.raises(Undecided):
                await web.store.sessions.aget(watch_id)
            clock.pass_(60)
            ended = await web.store.sessions.aapply(watch_id, Requested(), clock.now)
        assert ended.activity.ended == START + 100


@pytest.mark.parametrize("is_known", [True, False], ids=["of another server", "as it looks of the same server"])
class TestAnOlderCopy:
    async def test_ends_no_session_early_and_brings_none_back(self, shared: Outage, clock: Time, is_known: bool):
        one, two = shared.process("one"), shared.process("two")
        extended, idle, revoked = [(await one.asign_in(checkpoint=60.0)).id for _ in range(3)]
        await shared.around(REPORT_GRACE + 1)
        copy = Copy(shared)
        clock.now = START + 50
        await shared.around()
        (tab,) = [await extend(two, extended, clock.now)]
        with one.entered():
            await monitor.aend(revoked, Reason.REVOKED, clock.now)
        clock.now = START + 99.5
        await shared.around()
        copy.restore(is_known=is_known)
        clock.now = START + 100.5
        if is_known:
            # At once, though no connection broke.
            with one.entered():
                assert (await one.store.sessions.aget(revoked)).activity.reason is Reason.REVOKED
        await shared.around()
        assert (await present(one, revoked)).activity.reason is Reason.REVOKED
        assert (await present(one, extended)).activity.active == START + 50
        await shared.around(2 * REPORT_GRACE)
        assert tab.told == []
        assert (await arecord(extended)).ended is None
        assert (await arecord(idle)).ended == as_datetime(START + 100)
        assert (await arecord(revoked)).reason == "revoked"
        for process in (one, two):
            assert not process.recovery.is_away


class TestAnOutage:
    async def test_has_what_one_process_saw_a_moment_before_count_in_all(self, shared: Outage, clock: Time):
        one, two = shared.process("one"), shared.process("two")
        watch_id = (await one.asign_in(checkpoint=60.0)).id
        await shared.around(REPORT_GRACE + 1)
        clock.now = START + 20
        await extend(two, watch_id, clock.now)
        shared.redis.stop()
        await shared.around(2)
        assert (await arecord(watch_id)).last_active == as_datetime(START + 20)
        clock.now = START + 119
        with one.entered():
            judged = await one.store.sessions.aapply(watch_id, Requested(), clock.now)
        assert judged.activity.active == START + 119

    async def test_keeps_from_no_process_what_another_saw_while_the_records_are_away_too(
        self, shared: Outage, clock: Time
    ):
        one, two = shared.process("one"), shared.process("two")
        active, idle = [(await one.asign_in()).id for _ in range(2)]
        await shared.around(REPORT_GRACE + 1)

        async def go_without_records(seconds: float) -> None:
            for _ in range(int(seconds)):
                clock.pass_(1)
                with pytest.raises(OperationalError):
                    await one.around()
                await push(two)

        clock.now = START + 75
        await act_unheard(one, active)
        with mock.patch.object(records, "read", side_effect=OperationalError):
            await go_without_records(1)
            assert (await present(two, active)).activity.active == START + 75
            clock.now = START + 98
            await go_without_records(3)
            # The records may know more of it.
            assert (await present(two, idle)).activity.ended is None
            clock.now = START + 135
            await act_unheard(one, active)
            await go_without_records(3)
            assert (await present(two, idle)).activity.ended == START + 100
            assert (await present(two, active)).activity.active == START + 135
        await shared.around(1)
        assert not one.recovery.is_away

    async def test_takes_a_database_that_hangs_for_one_that_is_away(
        self, shared: Outage, clock: Time, monkeypatch: pytest.MonkeyPatch
    ):
        web = shared.process("web")
        watch_id = (await web.asign_in()).id
        await shared.around(REPORT_GRACE + 1)
        clock.now = START + 60
        await act_unheard(web, watch_id)
        monkeypatch.setattr(recovery, "RECORDS_TIMEOUT", 0.01)
        is_over = Event()
        monkeypatch.setattr(records, "read", lambda rows: is_over.wait() and [])
        try:
            with pytest.raises(TimeoutError):
                await web.around()
        finally:
            is_over.set()
        assert (await present(web, watch_id)).activity.active == START + 60

    async def test_keeps_neither_what_a_process_judged_by_a_record_that_is_away_since(
        self, shared: Outage, clock: Time
    ):
        web = shared.process("web")
        watch_id = (await web.asign_in()).id
        await shared.around(REPORT_GRACE + 1)
        clock.now = START + 60
        unheard = {"aapply": mock.DEFAULT, "apply": mock.DEFAULT, "get": mock.DEFAULT}
        with web.entered(), mock.patch.multiple(web.recovery.sessions, **unheard) as calls:
            for call in calls.values():
                call.side_effect = StoreUnavailable
            await web.store.sessions.aapply(watch_id, Requested(), clock.now)
        with mock.patch.object(records, "read", side_effect=OperationalError), pytest.raises(OperationalError):
            await web.around()
        assert (await present(web, watch_id)).activity.active == START + 60

    async def test_keeps_what_a_process_saw_from_no_older_copy_though_the_records_are_away(
        self, shared: Outage, clock: Time
    ):
        web = shared.process("web")
        watch_id, other = [(await web.asign_in()).id for _ in range(2)]
        await shared.around(REPORT_GRACE + 1)
        copy = Copy(shared)
        clock.now = START + 60
        await extend(web, watch_id, clock.now)
        with web.entered(), mock.patch.object(web.recovery.sessions, "get", side_effect=StoreUnavailable):
            await sync_to_async(web.store.sessions.get)(other)
        copy.restore(is_known=True)
        with mock.patch.object(recovery, "closed_since", side_effect=OperationalError), pytest.raises(OperationalError):
            await web.around()
        assert (await present(web, watch_id)).activity.active == START + 60


class TestABusyProcess:
    async def test_leaves_degraded_mode_though_its_users_act_as_fast_as_it_reports(
        self, shared: Outage, clock: Time, in_steps: None, monkeypatch: pytest.MonkeyPatch
    ):
        web = shared.process("web")
        sessions = [(await web.asign_in(idle_timeout=1000.0)).id for _ in range(6)]
        await shared.around(REPORT_GRACE + 1)
        for watch_id in sessions:
            web.hub.join(watch_id, FakeTab())
        shared.redis.stop()
        await web.around()
        shared.redis.start()
        report, waiting = web.recovery._reports._report, []

        async def report_while_all_act(*args: Any, **facts: Any) -> Any:
            with suppress(StoreUnavailable):
                for watch_id in sessions:
                    await web.store.sessions.aapply(watch_id, Acted(), clock.now)
            return await report(*args, **facts)

        monkeypatch.setattr(web.recovery._reports, "_report", report_while_all_act)
        while not waiting or web.recovery.is_away:
            await shared.around(1)
            waiting.append(len(web.recovery._outage._missed))
            assert len(waiting) < 20
        assert waiting == sorted(set(waiting), reverse=True), "each pass leaves fewer that have to wait"
        for watch_id in sessions:
            assert (await present(web, watch_id)).activity.active >= clock.now - 1


LISTS = ("due:push", "due:check", "due:record", "live:active:connected", "live:active:unconnected")


class TestAHeartbeat:
    """It comes after 85 s; another process has seen activity after 70 s, by which the session is not warned then."""

    @pytest.mark.parametrize("waits", [False, True])
    async def test_just_after_a_loss_of_data_is_judged_again_when_all_have_reported(
        self, shared: Outage, clock: Time, waits: bool
    ):
        web, other = shared.process("web"), shared.process("other")
        watch_id = (await web.asign_in()).id
        await shared.around(REPORT_GRACE + 1)
        clock.now = START + 70
        with other.entered():
            await monitor.alook(watch_id, clock.now, Requested())
        clock.now = START + 85
        flush(shared)
        with web.entered():
            if waits:
                await act_unheard(web, watch_id)
            else:
                assert (await monitor.alook(watch_id, clock.now, Acted())).activity.active == START
        await web.around()
        await shared.around(REPORT_GRACE + 2)
        assert (await web.recovery.sessions.aget(watch_id)).activity.active == START + 85

    async def test_in_the_warned_stretch_stays_without_effect(self, shared: Outage, clock: Time):
        web = shared.process("web")
        watch_id = (await web.asign_in()).id
        await shared.around(REPORT_GRACE + 1)
        clock.now = START + 85
        with web.entered():
            await web.store.sessions.aapply(watch_id, Acted(), clock.now)
        await shared.around(3)
        assert (await web.recovery.sessions.aget(watch_id)).activity.active == START


class TestAnEvictedKey:
    """Against what the docs demand, Redis evicts keys."""

    @pytest.mark.parametrize("kind", [*LISTS, "epoch", "processes", "served:web", "watch:", "turn:", ""])
    async def test_ends_no_session_early_and_brings_none_back_and_is_made_good(
        self, shared: Outage, clock: Time, kind: str
    ):
        web = shared.process("web")
        idle, revoked = [(await web.asign_in()).id for _ in range(2)]
        live = (await web.asign_in(idle_timeout=300.0)).id
        await shared.around(REPORT_GRACE + 1)
        tab = await extend(web, live, clock.now)
        with web.entered():
            await web.store.sessions.aapply(live, TabOpened("web", 50), clock.now)
            await monitor.aend(revoked, Reason.REVOKED, clock.now)
        clock.now = START + 70
        await shared.around()
        with shared.redis.client() as client:
            for key in client.scan_iter(f"{PREFIX}{kind}*"):
                client.delete(key)
        await shared.around(16)
        assert (await arecord(idle)).ended is None
        clock.now = START + 99
        await shared.around(3)
        assert (await arecord(idle)).ended == as_datetime(START + 100)
        with web.entered():
            assert (await monitor.alook(revoked, clock.now)).activity.reason is Reason.REVOKED
        activity = (await present(web, live)).activity
        assert (activity.tabs, activity.active, activity.ended) == ({"web": 1}, START + 5, None)
        assert [each.id for each in (await web.store.statistics.list(None, None, 0, 9)).sessions] == [live]
        assert tab.told == []
        clock.now = START + 305
        await shared.around(2)
        assert tab.told[-1] == ("ended", "idle", False)

    @pytest.mark.parametrize("is_tended", [True, False])
    async def test_is_reported_again_by_the_process_that_saw_more_than_the_record_has(
        self, shared: Outage, clock: Time, is_tended: bool
    ):
        web, other = shared.process("web"), shared.process("other")
        watch_id = (await web.asign_in(idle_timeout=1000.0)).id
        await (shared if is_tended else other).around()
        clock.pass_(100)
        acted_at = clock.now
        with web.entered():
            await web.store.sessions.aapply(watch_id, Requested(), acted_at)
        with shared.redis.client() as client:
            client.delete(f"{PREFIX}watch:{watch_id}")
        clock.pass_(1)
        with other.entered():
            assert (await monitor.alook(watch_id, clock.now)).activity.active == START
        with web.entered():
            await monitor.alook(watch_id, clock.now)
            await (web.around() if is_tended else monitor.alook(watch_id, clock.now))
        assert (await web.recovery.sessions.aget(watch_id)).activity.active == acted_at
        assert not web.recovery.is_away
