"""The records stand in for a shared store that is away: literal time, a Redis that is really killed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import async_to_sync
from django.db import DatabaseError
from msgspec.structs import replace

from idlewatch.core.activity import Reason
from idlewatch.core.clock import as_datetime
from idlewatch.core.events import (
    Acted,
    Event,
    Extended,
    Held,
    PageShown,
    Polled,
    Requested,
    TabClosed,
    TabOpened,
    TabsCounted,
)
from idlewatch.core.policy import Phase
from idlewatch.core.protocol import Close
from idlewatch.exceptions import HoldRefused, StoreUnavailable, Undecided
from idlewatch.managers import WatchedSessionQuerySet
from idlewatch.models import WatchedSession
from idlewatch.monitor import checkpoints, records, stores
from idlewatch.monitor import service as monitor
from idlewatch.monitor.outage import REPORT_GRACE
from idlewatch.monitor.record_reports import CATCH_UP_LIMIT
from idlewatch.process import current_process, set_default
from idlewatch.runtime.runtime import Runtime, runtime_of
from idlewatch.runtime.timer import Timer
from idlewatch.store.base import SessionStore
from idlewatch.store.values import Watched
from tests.conftest import START, Time
from tests.support.outages import Member, Outage, outage
from tests.support.sockets import FakeTab, Signed, Tab
from tests.support.sockets import sign_in as sign_in_by_browser
from tests.support.watches import arecord

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.redis]


@pytest.fixture(params=[True, False], ids=["with its data", "empty"])
def away(tmp_path: Path, clock: Time, request: pytest.FixtureRequest) -> Iterator[Outage]:
    """A Redis that comes back either way."""
    with outage(tmp_path, clock, persistent=request.param) as made:
        yield made


@pytest.fixture
def kept(tmp_path: Path, clock: Time) -> Iterator[Outage]:
    """A Redis that comes back with its data."""
    with outage(tmp_path, clock, persistent=True) as made:
        yield made


@pytest.fixture
def lost(tmp_path: Path, clock: Time) -> Iterator[Outage]:
    """A Redis that comes back empty."""
    with outage(tmp_path, clock, persistent=False) as made:
        yield made


def found(process: Member, watch_id: str) -> Watched:
    with process.entered():
        watched = monitor.look(watch_id, process.clock.now)
    assert watched is not None
    return watched


def phase(process: Member, watch_id: str) -> Phase:
    return found(process, watch_id).verdict(process.clock.now).phase


def row(watch_id: str) -> WatchedSession:
    return WatchedSession.objects.get(pk=watch_id)


Change = Callable[[SessionStore, Watched, float], Watched | None]
CHANGES: Sequence[tuple[str, Change]] = [
    ("a request", lambda sessions, watched, now: sessions.apply(watched.id, Requested(), now)),
    ("a tab", lambda sessions, watched, now: async_to_sync(sessions.aapply)(watched.id, TabOpened("web", 5), now)),
    ("an extension", lambda sessions, watched, now: async_to_sync(sessions.aapply)(watched.id, Extended(), now)),
    ("a sign-in", lambda sessions, watched, now: sessions.restart(watched, now)),
    ("impersonation", lambda sessions, watched, now: sessions.transfer(watched, now)),
]
"""What may happen to a session, and how a store is told."""


def advance_record(watched: Watched) -> None:
    """Give the record of a session activity that the store lacks, 90 seconds after the start."""
    checkpoints.advance(replace(watched, activity=replace(watched.activity, active=START + 90)), START + 90)


class TestTwoProcesses:
    """Limits as in `tests.support.watches`: idle 100, checkpoint 10."""

    @pytest.mark.rule("R9")
    def test_activity_of_both_is_chained_over_an_outage_longer_than_the_idle_limit(self, away: Outage, clock: Time):
        one, two = away.process("one"), away.process("two")
        watch_id = one.sign_in().id
        away.go_round()
        away.redis.stop()
        for turn, process in enumerate([one, two, one, two]):
            clock.now = START + 70 * (turn + 1)
            away.go_round()
            assert process.store.sessions.apply(watch_id, Requested(), clock.now) is not None
        clock.pass_(60)
        away.redis.start()
        away.go_round(REPORT_GRACE + 2)
        for process in (one, two):
            assert found(process, watch_id).activity.active == START + 280
            assert phase(process, watch_id) is Phase.ACTIVE
        assert row(watch_id).ended is None

    @pytest.mark.rule("R9")
    def test_the_checkpoint_of_a_store_that_missed_something_undoes_no_record(self, kept: Outage, clock: Time):
        quiet, busy = kept.process("quiet"), kept.process("busy")
        watch_id = busy.sign_in().id
        kept.go_round()
        kept.redis.stop()
        clock.pass_(90)
        busy.store.sessions.apply(watch_id, Requested(), clock.now)
        kept.redis.start()
        # Its check finds what the store knew, before the other process has told what it missed.
        quiet.go_round()
        assert row(watch_id).last_active == as_datetime(START + 90)
        clock.pass_(20)
        busy.go_round()
        assert found(busy, watch_id).activity.active == START + 90

    def test_a_session_goes_on_of_which_the_record_has_later_activity(self, kept: Outage, clock: Time):
        """Another process could not reach the store for a moment, and has not told it yet."""
        web = kept.process("web")
        watched = web.sign_in()
        kept.go_round()
        advance_record(watched)
        clock.pass_(101)
        with web.entered():
            assert monitor.finish(watched.id, clock.now).activity.ended is None
            clock.pass_(90)
            assert monitor.finish(watched.id, clock.now).activity.reason is Reason.IDLE

    @pytest.mark.rule("R9")
    def test_a_session_that_ended_by_its_record_does_not_end_again_by_the_clock(self, kept: Outage, clock: Time):
        web = kept.process("web")
        watched = web.sign_in()
        kept.go_round()
        records.close(watched.id, Reason.ACCOUNT, START + 99)
        clock.pass_(101)
        with web.entered():
            assert monitor.finish(watched.id, clock.now).activity.reason is Reason.ACCOUNT

    def test_a_request_while_the_store_is_in_doubt_does_not_undo_that_the_browser_was_closed(
        self, kept: Outage, clock: Time
    ):
        web = kept.process("web")
        watch_id = web.sign_in(close_grace=30.0).id
        kept.go_round(REPORT_GRACE + 1)
        apply = web.recovery.sessions.apply
        for event in (PageShown(has_client=True), TabOpened("web", 5), TabClosed("web", closed=True)):
            apply(watch_id, event, clock.now)
        web.recovery.note_absence()
        assert found(web, watch_id).activity.closed_at == clock.now

    @pytest.mark.rule("R9")
    @pytest.mark.parametrize("change", CHANGES, ids=lambda change: change[0])
    def test_nothing_that_happens_ends_a_session_of_which_the_record_has_later_activity(
        self, kept: Outage, clock: Time, change: tuple[str, Change]
    ):
        """The processes that knew of it were replaced while the store was away."""
        web = kept.process("web")
        watched = web.sign_in()
        kept.go_round()
        advance_record(watched)
        clock.pass_(101)
        present = change[1](web.store.sessions, watched, clock.now)
        assert present is not None
        assert present.activity.ended is None
        assert present.activity.active >= START + 90
        clock.now = START + 300
        over = change[1](web.store.sessions, watched, clock.now)
        assert over is not None
        assert over.activity.reason is Reason.IDLE

    def test_a_process_that_begins_while_the_store_is_away_asks_the_records_when_it_is_back(
        self, kept: Outage, clock: Time
    ):
        watched = kept.process("before").sign_in()
        kept.go_round()
        advance_record(watched)
        clock.pass_(95)
        after = kept.process("after")
        # Its store may have refused the call without asking Redis.
        after.recovery.note_absence()
        # The store by itself would have it warned.
        assert phase(after, watched.id) is Phase.ACTIVE

    @pytest.mark.rule("R9")
    def test_what_a_command_ended_meanwhile_is_over_when_the_store_is_back(self, kept: Outage, clock: Time):
        web = kept.process("web")
        watch_id = web.sign_in(checkpoint=60.0).id
        kept.go_round()
        kept.redis.stop()
        clock.pass_(10)
        web.go_round()
        command = kept.process("command")
        with command.entered():
            monitor.end(watch_id, Reason.REVOKED, clock.now)
        kept.made.remove(command)
        command.store.close()
        kept.redis.start()
        web.go_round()
        assert web.recovery.sessions.get(watch_id).activity.reason is Reason.REVOKED


class TestMadeGood:
    @pytest.fixture
    def web(self, away: Outage) -> Member:
        return away.process("web")

    async def test_a_heartbeat_that_waits_is_credited_to_its_own_moment(self, away: Outage, web: Member, clock: Time):
        watch_id = (await web.asign_in()).id
        await away.around()
        away.redis.stop()
        clock.pass_(50)
        with pytest.raises(StoreUnavailable):
            await web.store.sessions.aapply(watch_id, Acted(ago=20), clock.now)
        clock.pass_(60)
        await away.around()
        assert (await arecord(watch_id)).last_active == as_datetime(START + 30)
        away.redis.start()
        await away.around()
        assert (await web.store.sessions.aget(watch_id)).activity.active == START + 30

    async def test_many_messages_of_one_session_cost_the_database_a_few_questions(
        self, away: Outage, web: Member, clock: Time, monkeypatch: pytest.MonkeyPatch
    ):
        watch_id = (await web.asign_in(hold_limit=0.0)).id
        await away.around()
        away.redis.stop()
        clock.pass_(5)
        find = mock.create_autospec(WatchedSessionQuerySet.find, side_effect=WatchedSessionQuerySet.find)
        monkeypatch.setattr(WatchedSessionQuerySet, "find", find)
        messages = [*[Extended()] * 50, Held("a"), Polled()]
        calls = (web.store.sessions.aapply(watch_id, message, clock.now) for message in messages)
        *extended, held, polled = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(held, HoldRefused)
        assert {each.activity.extensions for each in [*extended, polled]} <= set(range(1, 51))
        assert find.call_count <= 6
        record = await arecord(watch_id)
        assert (record.extensions, record.last_active) == (50, as_datetime(clock.now))

    async def test_what_a_tab_has_seen_counts_before_any_session_is_called_idle(self, lost: Outage, clock: Time):
        web = lost.process("web")
        watch_id = (await web.asign_in()).id
        await lost.around()
        web.hub.join(watch_id, FakeTab())
        clock.pass_(9)
        await web.store.sessions.aapply(watch_id, Acted(), clock.now)
        lost.redis.stop()
        clock.now = START + 105
        await lost.around()
        lost.redis.start()
        await lost.around(REPORT_GRACE)
        assert (await web.recovery.sessions.aget(watch_id)).activity.ended is None
        assert (await arecord(watch_id)).ended is None

    async def test_tabs_of_a_session_without_a_record_keep_no_other_from_the_store(self, lost: Outage, clock: Time):
        web = lost.process("web")
        gone, live = (await web.asign_in()).id, (await web.asign_in()).id
        await lost.around()
        for watch_id in (gone, live):
            web.hub.join(watch_id, FakeTab())
        await WatchedSession.objects.filter(pk=gone).adelete()
        lost.redis.stop()
        await lost.around()
        lost.redis.start()
        await lost.around()
        assert await web.recovery.sessions.aget(gone) is None
        assert (await web.recovery.sessions.aget(live)).activity.tabs == {"web": 1}
        assert not web.recovery.is_away

    async def test_one_in_doubt_keeps_the_store_from_no_other_and_is_decided_soon(self, lost: Outage, clock: Time):
        web = lost.process("web")
        idle = (await web.asign_in(checkpoint=60.0)).id
        live = (await web.asign_in(idle_timeout=500.0)).id
        await lost.around()
        tabs = {watch_id: FakeTab() for watch_id in (idle, live)}
        for watch_id, tab in tabs.items():
            web.hub.join(watch_id, tab)
        lost.redis.stop()
        clock.now = START + 105
        await lost.around()
        lost.redis.start()
        await lost.around(2)
        assert (await web.recovery.sessions.aget(live)).activity.tabs == {"web": 1}
        assert (await web.recovery.sessions.aget(idle)).activity.ended is None
        with pytest.raises(Undecided):
            await web.store.sessions.aget(idle)
        await lost.around(2 * REPORT_GRACE)
        assert (await arecord(idle)).reason == "idle"
        assert tabs[idle].told[-1] == ("ended", "idle", False)
        assert tabs[live].told == []
        assert not web.recovery.is_away

    def test_holds_of_an_outage_longer_than_the_idle_limit_have_kept_the_session(
        self, away: Outage, web: Member, clock: Time
    ):
        watch_id = web.sign_in().id
        web.store.sessions.apply(watch_id, Held("video"), clock.now)
        away.go_round()
        away.redis.stop()
        for _ in range(6):
            clock.pass_(30)
            web.store.sessions.apply(watch_id, Held("video"), clock.now)
        away.redis.start()
        away.go_round(REPORT_GRACE + 1)
        clock.now = START + 279
        assert phase(web, watch_id) is not Phase.ENDED
        clock.now = START + 280
        assert phase(web, watch_id) is Phase.ENDED

    @pytest.mark.rule("R9")
    @pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
    def test_a_session_ended_meanwhile_stays_ended(self, away: Outage, web: Member, clock: Time, is_async: bool):
        apply = async_to_sync(web.store.sessions.aapply) if is_async else web.store.sessions.apply
        watch_id = web.sign_in().id
        away.go_round()
        away.redis.stop()
        clock.pass_(10)
        with web.entered():
            monitor.end(watch_id, Reason.LOGOUT, clock.now)
        away.redis.start()
        clock.pass_(1)
        assert apply(watch_id, Requested(), clock.now).activity.reason is Reason.LOGOUT
        away.go_round(REPORT_GRACE + 1)
        assert apply(watch_id, Extended(), clock.now).activity.reason is Reason.LOGOUT
        assert row(watch_id).reason == "logout"

    @pytest.mark.parametrize("is_asked", [False, True], ids=["looked at", "extended"])
    def test_what_a_page_was_told_is_final_though_the_store_has_activity_whose_answer_was_lost(
        self, kept: Outage, clock: Time, is_asked: bool
    ):
        web = kept.process("web")
        watch_id = web.sign_in().id
        kept.go_round()
        clock.now = START + 90
        web.recovery.sessions.apply(watch_id, Requested(), clock.now)
        kept.redis.stop()
        clock.now = START + 130
        with web.entered():
            told = (
                async_to_sync(web.store.sessions.aapply)(watch_id, Extended(), clock.now)
                if is_asked
                else web.store.sessions.end(watch_id, None, clock.now)
            )
        assert told.activity.reason is Reason.IDLE
        kept.redis.start()
        kept.go_round(REPORT_GRACE + 1)
        assert web.recovery.sessions.get(watch_id).activity.reason is Reason.IDLE
        assert row(watch_id).ended == as_datetime(START + 100)

    def test_a_request_before_an_end_that_passed_while_the_store_was_waited_for_is_undecided(
        self, kept: Outage, clock: Time
    ):
        web = kept.process("web")
        watch_id = web.sign_in().id
        kept.go_round()
        kept.redis.stop()
        # Later than another process would write a checkpoint: it may have ended the session, and lost its record.
        clock.now = START + 1000
        with web.entered(), pytest.raises(Undecided):
            web.store.sessions.apply(watch_id, Requested(), START + 99.9)
        assert row(watch_id).last_active == as_datetime(START)

    def test_an_end_by_the_clock_is_final_though_its_record_is_still_open_while_the_store_is_away(
        self, kept: Outage, clock: Time
    ):
        web = kept.process("web")
        watched = web.sign_in()
        kept.go_round()
        clock.now = START + 100
        with web.entered():
            async_to_sync(web.timer.push)(clock.now)
            kept.redis.stop()
            # A sign-in that takes long began before the end.
            restarted = web.store.sessions.restart(watched, START + 99.9)
        assert row(watched.id).ended is None
        assert restarted.activity.reason is Reason.IDLE

    @pytest.mark.rule("R9")
    def test_so_does_one_that_was_undecided(self, away: Outage, web: Member, clock: Time):
        watch_id = web.sign_in().id
        away.go_round()
        away.redis.stop()
        clock.pass_(105)
        with web.entered():
            assert monitor.end(watch_id, Reason.REVOKED, clock.now).activity.reason is Reason.REVOKED
        assert row(watch_id).reason == "revoked"
        away.redis.start()
        away.go_round(REPORT_GRACE + 1)
        assert web.store.sessions.apply(watch_id, Requested(), clock.now).activity.ended is not None

    def test_a_restart_of_the_clocks_is_kept(self, away: Outage, web: Member, clock: Time):
        watched = web.sign_in(absolute_timeout=150.0)
        away.go_round()
        away.redis.stop()
        clock.pass_(80)
        again = replace(watched, activity=replace(watched.activity, logged_in_at=clock.now, active=clock.now))
        with web.entered():
            records.restart(stores.current().sessions.restart(again, clock.now), clock.now)
        away.redis.start()
        away.go_round(REPORT_GRACE + 1)
        clock.now = START + 160
        assert phase(web, watched.id) is not Phase.ENDED
        assert found(web, watched.id).activity.logged_in_at == START + 80

    def test_one_in_doubt_at_the_beginning_of_a_store_is_decided_soon(self, lost: Outage, clock: Time):
        before = lost.process("before")
        watches = [before.sign_in().id for _ in range(2)]
        lost.made.clear()
        before.store.clear()
        before.store.close()
        clock.pass_(105)
        web = lost.process("web")
        lost.go_round()
        for watch_id in watches:
            with pytest.raises(Undecided):
                found(web, watch_id)
        lost.go_round(2 * REPORT_GRACE)
        assert [row(watch_id).reason for watch_id in watches] == ["idle"] * 2
        assert not web.recovery.is_away


class TestWithoutATimer:
    def test_calls_report_what_the_store_missed_beside_their_own_and_the_last_ends_the_outage(
        self, away: Outage, clock: Time
    ):
        worker = away.process("worker")
        revoked, *sessions = [worker.sign_in(idle_timeout=1000.0).id for _ in range(CATCH_UP_LIMIT + 2)]
        away.redis.stop()
        clock.pass_(50)
        for watch_id in sessions:
            worker.store.sessions.apply(watch_id, Requested(), clock.now)
        with worker.entered():
            monitor.end(revoked, Reason.REVOKED, clock.now)
        away.redis.start()
        for _ in range(3):
            found(worker, sessions[0])
        assert not worker.recovery.is_away
        assert [worker.recovery.sessions.get(each).activity.active for each in sessions] == [clock.now] * len(sessions)
        assert worker.recovery.sessions.get(revoked).activity.reason is Reason.REVOKED
        clock.pass_(REPORT_GRACE)
        with mock.patch.object(WatchedSessionQuerySet, "find") as find:
            found(worker, sessions[0])
        assert not find.called, "it asks the store alone again"

    async def test_activity_that_a_socket_reports_advances_the_record_and_waits_for_nothing(
        self, away: Outage, clock: Time
    ):
        worker = away.process("worker")
        watch_id = (await worker.asign_in()).id
        away.redis.stop()
        for _ in range(2):
            clock.pass_(20)
            assert (await worker.store.sessions.aapply(watch_id, Acted(), clock.now)).activity.active == clock.now
        assert (await arecord(watch_id)).last_active == as_datetime(clock.now)
        away.redis.start()
        for _ in range(2):
            await worker.store.sessions.aget(watch_id)
        assert (await worker.recovery.sessions.aget(watch_id)).activity.active == clock.now
        assert not worker.recovery.is_away


class TestUnknown:
    def test_a_session_without_a_record_is_unknown(self, lost: Outage):
        web = lost.process("web")
        lost.redis.stop()
        assert web.store.sessions.get("unknown") is None
        assert web.store.sessions.apply("unknown", Requested(), START) is None

    def test_several_are_judged_by_their_records_as_one_is(self, lost: Outage, clock: Time):
        web = lost.process("web")
        watch_id = web.sign_in().id
        lost.redis.stop()
        for active in (START, START + 40):
            several = web.store.sessions.get_many([watch_id, "unknown"])
            assert [each and each.activity.active for each in several] == [active, None]
            clock.now = START + 40
            web.store.sessions.apply(watch_id, Requested(), clock.now)

    def test_without_the_database_a_store_that_is_back_is_believed_unless_the_session_is_over_by_it(
        self, kept: Outage, clock: Time
    ):
        web = kept.process("web")
        watch_id = web.sign_in().id
        kept.redis.stop()
        assert web.store.sessions.get(watch_id) is not None
        kept.redis.start()
        with mock.patch.object(WatchedSessionQuerySet, "find", side_effect=DatabaseError):
            clock.pass_(99)
            assert found(web, watch_id) == web.recovery.sessions.get(watch_id)
            for undecided in (watch_id, "unknown"):
                clock.pass_(1)
                with pytest.raises(Undecided):
                    web.store.sessions.get(undecided)

    @pytest.mark.parametrize("call", ["get", "apply", "restart", "end"])
    def test_without_the_database_too_it_is_undecided(self, lost: Outage, clock: Time, call: str):
        web = lost.process("web")
        watched = web.sign_in()
        lost.redis.stop()
        args = {
            "get": (watched.id,),
            "apply": (watched.id, Requested(), START),
            "restart": (watched, START),
            "end": (watched.id, Reason.LOGOUT, START),
        }
        with mock.patch.object(WatchedSessionQuerySet, "find", side_effect=DatabaseError), pytest.raises(Undecided):
            getattr(web.store.sessions, call)(*args[call])


class HeldBack:
    """The first event of a kind on its way to the store, which waits for the test to let it go on."""

    def __init__(self, patch: pytest.MonkeyPatch, process: Member, kind: type[Event]) -> None:
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()
        self._kind, self._apply = kind, process.recovery.sessions.aapply
        patch.setattr(process.recovery.sessions, "aapply", self._wait)

    async def _wait(self, watch_id: str, event: Event, now: float) -> Watched | None:
        if isinstance(event, self._kind) and not self.reached.is_set():
            self.reached.set()
            await self.go_on.wait()
        return await self._apply(watch_id, event, now)


class TestSocket:
    """A tab stays open while the store is away, and what its user does is not lost."""

    @pytest.fixture
    def web(self, away: Outage, monkeypatch: pytest.MonkeyPatch) -> Member:
        monkeypatch.setattr(Runtime, "start", lambda _: None)
        web = away.process("web")
        # An async test has a context of its own.
        set_default(web.process)
        return web

    @pytest.fixture
    async def signed(self, web: Member) -> Signed:
        web.hub = runtime_of(current_process()).hub
        web.timer = Timer(current_process(), web.hub)
        return await sign_in_by_browser()

    @pytest.fixture
    async def tab(self, away: Outage, signed: Signed) -> Tab:
        """A tab that was open when the store went away."""
        tab = await Tab.open(signed)
        await away.around()
        away.redis.stop()
        return tab

    async def test_that_is_open_goes_on(self, away: Outage, web: Member, signed: Signed, clock: Time, tab: Tab):
        versions = [tab.first["version"]]
        for kind, fields in (("extend", {}), ("hold", {"id": "a"}), ("release", {"id": "a"}), ("sync", {})):
            clock.pass_(600)
            frame = await tab.ask(kind, **fields)
            assert frame["phase"] == "active"
            versions += [frame["version"], (await tab.ask("extend"))["version"]]
        await tab.say("activity", ago=100)
        clock.pass_(50)
        assert (await tab.sync())["remaining"] == 850
        away.redis.start()
        await away.around(REPORT_GRACE + 1)
        after = await tab.sync()
        # The page drops what has a lower version than what it was told before.
        assert [*versions, after["version"]] == sorted([*versions, after["version"]])
        assert after["remaining"] == 850 - (REPORT_GRACE + 1)
        assert (await web.store.sessions.aget(signed.watch_id)).activity.tabs == {"web": 1}
        await tab.leave()

    async def test_that_is_opened_is_told_the_state_and_counted_later(
        self, away: Outage, web: Member, signed: Signed, clock: Time
    ):
        await away.around()
        away.redis.stop()
        clock.pass_(100)
        tab = await Tab.open(signed)
        assert (tab.first["phase"], tab.first["remaining"]) == ("active", 800)
        away.redis.start()
        await away.around()
        assert (await web.store.sessions.aget(signed.watch_id)).activity.tabs == {"web": 1}
        await tab.leave()
        assert (await web.store.sessions.aget(signed.watch_id)).activity.tabs == {}

    @pytest.mark.parametrize("asks", [False, True], ids=["", "and_asks_before_it_is_counted"])
    async def test_that_is_opened_keeps_the_session_of_a_browser_that_was_taken_for_closed(
        self, away: Outage, web: Member, signed: Signed, clock: Time, asks: bool
    ):
        """As where a page is loaded again while Redis is restarted, for longer than `CLOSE_GRACE`."""
        other = away.process("other")
        before = await Tab.open(signed)
        await away.around()
        await before.leave(1001)
        away.redis.stop()
        after = await Tab.open(signed)
        clock.pass_(350)
        await other.around()
        away.redis.start()
        if asks:
            assert (await after.sync())["phase"] == "active"
        await away.around(REPORT_GRACE + 1)
        assert (await after.sync())["phase"] == "active"
        assert (await web.recovery.sessions.aget(signed.watch_id)).activity.tabs == {"web": 1}
        await after.leave()

    async def test_of_an_undecided_session_is_sent_away_to_come_back(self, signed: Signed, clock: Time, tab: Tab):
        clock.pass_(930)
        await tab.say("sync")
        assert await tab.close_code() == Close.GOING_AWAY
        opened = Tab(signed.key)
        assert await opened.is_accepted()
        assert await opened.close_code() == Close.GOING_AWAY
        # To count it out is to judge its session.
        await tab.leave()

    async def test_whose_session_is_revoked_is_told_when_it_asks_or_when_the_store_is_back(
        self, away: Outage, signed: Signed, clock: Time
    ):
        asking, silent = await Tab.open(signed), await Tab.open(signed)
        await away.around()
        away.redis.stop()
        clock.pass_(5)
        await monitor.aend(signed.watch_id, Reason.REVOKED, clock.now)
        assert (await asking.ask("extend"))["reason"] == "revoked"
        assert await asking.close_code() == Close.ENDED
        away.redis.start()
        await away.around(REPORT_GRACE + 2)
        frame = await silent.frame()
        assert (frame["phase"], frame["reason"]) == ("ended", "revoked")
        assert await silent.close_code() == Close.ENDED

    @pytest.mark.parametrize("goes", [True, False], ids=["goes", "comes"])
    async def test_that_goes_or_comes_while_all_are_counted_again_is_counted_right(
        self, away: Outage, web: Member, signed: Signed, clock: Time, monkeypatch: pytest.MonkeyPatch, goes: bool
    ):
        """Else the session would end as closed under an open tab, or a closed browser go unnoticed."""
        stays, tab = await Tab.open(signed), await Tab.open(signed)
        await away.around()
        away.redis.stop()
        await away.around()
        away.redis.start()
        # Else what the tab says would be refused, as the store may be an older one.
        await web.store.presence.renew("other", clock.now, 10.0)
        held = HeldBack(monkeypatch, web, TabClosed if goes else TabOpened)
        moving = asyncio.create_task(tab.leave() if goes else Tab.open(signed))
        await held.reached.wait()
        await away.around()
        held.go_on.set()
        come = await moving
        activity = (await web.recovery.sessions.aget(signed.watch_id)).activity
        assert (activity.tabs, activity.closed_at) == ({"web": 1 if goes else 3}, None)
        for each in [stays] if goes else [stays, tab, come]:
            await each.leave()

    async def test_that_goes_after_all_were_looked_at_is_counted_no_more(
        self, away: Outage, web: Member, signed: Signed, monkeypatch: pytest.MonkeyPatch
    ):
        stays = await Tab.open(signed)
        away.redis.stop()
        await away.around()
        goes = await Tab.open(signed)
        away.redis.start()
        held = HeldBack(monkeypatch, web, TabsCounted)
        counting = asyncio.create_task(away.around())
        await held.reached.wait()
        await goes.leave()
        held.go_on.set()
        await counting
        assert (await web.recovery.sessions.aget(signed.watch_id)).activity.tabs == {"web": 1}
        await stays.leave()

    async def test_that_is_refused_for_being_one_too_many_counts_nowhere(
        self, away: Outage, web: Member, signed: Signed, settings: Any
    ):
        settings.IDLEWATCH = {"MAX_TABS": 1}
        one, more = await Tab.open(signed), Tab(signed.key)
        assert await more.is_accepted()
        assert await more.close_code() == Close.TOO_MANY
        assert web.hub.tabs()[signed.watch_id] == 1
        await one.leave()
