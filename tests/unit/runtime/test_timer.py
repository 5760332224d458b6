from __future__ import annotations

import asyncio
import logging
import math
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session
from django.db import OperationalError
from msgspec.structs import replace

from idlewatch.core.activity import Reason
from idlewatch.core.clock import as_datetime
from idlewatch.core.events import Acted, Extended, Held, TabClosed, TabOpened, TabsCounted
from idlewatch.exceptions import LayerUnavailable, StoreUnavailable
from idlewatch.models import HistorySample, StoreOwner
from idlewatch.monitor import checkpoints, django_sessions, records, stores
from idlewatch.monitor import service as monitor
from idlewatch.monitor.outage import REPORT_GRACE
from idlewatch.monitor.record_rows import LiveRow
from idlewatch.monitor.store_lease import TRUST_PERIOD, StoreLease
from idlewatch.process import current_process
from idlewatch.runtime import changes
from idlewatch.runtime.hub import Hub
from idlewatch.runtime.membership import PROCESS_LEASE, SAMPLE_RETENTION, Membership
from idlewatch.runtime.timer import (
    CHECK_TIMEOUT,
    CLAIM_LEASE,
    COMPARE_INTERVAL,
    LATE_AFTER,
    PUSH_SPACING,
    RECORD_SPACING,
    RETRY_INTERVAL,
    ROUND_INTERVAL,
    SAMPLE_INTERVAL,
    SWEEP_INTERVAL,
    Timer,
)
from idlewatch.signals import announce, session_ended
from idlewatch.store.base import CHANGE_BATCH
from idlewatch.store.redis.client import Client
from idlewatch.store.redis.commands import Command
from idlewatch.store.transitions import RECHECK_INTERVAL
from idlewatch.store.values import Due, Sample, Watched
from tests.conftest import START, Time
from tests.support.announced import Heard
from tests.support.clocks import TestClock
from tests.support.outages import PREFIX, Outage, outage
from tests.support.processes import lose_store
from tests.support.sockets import FakeTab, errors, until
from tests.support.watches import arecord, asign_in, keep, known, sign_in_many

WARNED = ("warned", "idle", True)
ACTIVE = ("active", None, True)


@pytest.fixture
def hub() -> Hub:
    return Hub(current_process())


def owning_timer(hub: Hub) -> Timer:
    timer = Timer(current_process(), hub)
    timer.membership.owns_store = True
    return timer


@pytest.fixture
def timer(hub: Hub) -> Timer:
    return owning_timer(hub)


@pytest.fixture
def ends() -> Any:
    """The ends that were announced."""
    heard = Heard()

    def hear(watch_id: str, reason: Reason, at: float, **_: object) -> None:
        heard.append((watch_id, reason, at))

    session_ended.connect(hear)
    yield heard
    session_ended.disconnect(hear)


def tabs_of(hub: Hub, watch_id: str, count: int = 3) -> list[FakeTab]:
    tabs = [FakeTab() for _ in range(count)]
    for tab in tabs:
        hub.join(watch_id, tab)
    return tabs


class TestPush:
    @pytest.mark.rule("R1", "R30", "R31")
    async def test_every_tab_is_told_once_of_each_change(self, hub: Hub, timer: Timer):
        keep("w1", absolute_timeout=None)
        tabs = tabs_of(hub, "w1")
        for moment in (79.9, 80, 80.5, 99):
            await timer.push(START + moment)
        assert [tab.told for tab in tabs] == [[WARNED]] * 3
        assert tabs[0].frames[0]["remaining"] == 20.0
        assert known("w1").activity.warnings == 1
        now = START + 99
        for _ in range(10):
            stores.current().sessions.apply("w1", Extended(), now)
            await timer.push(now)
            now += 90
            await timer.push(now)
        for later in (9.9, 10, 11, 1000):
            await timer.push(now + later)
        ended = ("ended", "idle", False)
        assert [tab.told for tab in tabs] == [[WARNED, *[ACTIVE, WARNED] * 10, ended]] * 3
        assert all(tab.ended for tab in tabs)

    async def test_activity_that_comes_before_the_verdict_is_settled_wins(
        self, hub: Hub, timer: Timer, monkeypatch: pytest.MonkeyPatch
    ):
        keep("w1")
        (tab,) = tabs_of(hub, "w1", 1)
        store = stores.current()
        settle = store.queue.settle

        async def late(*args: Any) -> Any:
            # A moment before the warning, reported only now.
            store.sessions.apply("w1", Acted(1.0), START + 80)
            return await settle(*args)

        with monkeypatch.context() as patch:
            patch.setattr(store.queue, "settle", late)
            await timer.push(START + 80)
        await timer.push(START + 80)
        assert tab.told == []
        await timer.push(START + 159)
        assert tab.told == [WARNED]

    async def test_what_was_settled_but_not_published_is_published_when_the_lease_lapses(self, hub: Hub, timer: Timer):
        keep("w1")
        (tab,) = tabs_of(hub, "w1", 1)
        with (
            mock.patch.object(hub, "deliver", side_effect=asyncio.CancelledError),
            pytest.raises(asyncio.CancelledError),
        ):
            await timer.push(START + 80)
        heir = owning_timer(hub)
        await heir.push(START + 80 + CLAIM_LEASE - 0.1)
        assert tab.told == []
        await heir.push(START + 80 + CLAIM_LEASE)
        assert tab.told == [WARNED]
        await heir.push(START + 80 + 2 * CLAIM_LEASE - 1)
        assert tab.told == [WARNED]

    async def test_what_was_settled_before_the_store_failed_is_announced(
        self, timer: Timer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ):
        caplog.set_level(logging.INFO, "idlewatch")
        for number in range(CHANGE_BATCH + 1):
            keep(f"w{number}")
        queue = stores.current().queue
        settle = queue.settle

        async def fail_later(claimed: Any, *args: Any) -> Any:
            if len(claimed) < CHANGE_BATCH:
                raise StoreUnavailable
            return await settle(claimed, *args)

        monkeypatch.setattr(queue, "settle", fail_later)
        with pytest.raises(StoreUnavailable):
            await timer.push(START + 80)
        assert sum(line.startswith("session_warned") for line in caplog.messages) == CHANGE_BATCH

    @pytest.mark.parametrize("flaw", ["verdict", "settle", "announcement", "frame"])
    async def test_one_session_that_raises_keeps_no_other_from_being_told_in_time(
        self, hub: Hub, timer: Timer, flaw: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ):
        tabs = {f"w{number}": tabs_of(hub, keep(f"w{number}").id, 1)[0] for number in range(5)}

        def failing(function: Any, concerns: Any) -> Any:
            def call(*args: Any) -> Any:
                if concerns(*args):
                    raise ValueError
                return function(*args)

            return call

        owner, name = {
            "verdict": (Watched, "verdict"),
            "settle": (stores.current().queue, "settle"),
            "announcement": (announce, "changed"),
            "frame": (changes, "change_of"),
        }[flaw]
        is_bad = (
            (lambda batch, *_: "w2" in {each.id for each in batch})
            if flaw == "settle"
            else (lambda each, *_: each.id == "w2")
        )
        # The memory store asks for the verdict itself, of what it is sure of.
        claimed = await stores.current().queue.claim(Due.PUSH, START + 80, 10, CLAIM_LEASE)
        monkeypatch.setattr(owner, name, failing(getattr(owner, name), is_bad))
        await timer.publisher.send(await timer.publisher.settle(claimed, START + 80), START + 80)
        assert [tab.told for watch_id, tab in tabs.items() if watch_id != "w2"] == [[WARNED]] * 4
        assert all("w2" in line for line in errors(caplog))

    async def test_two_timers_tell_each_change_once_batch_after_batch(
        self, hub: Hub, timer: Timer, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("idlewatch.runtime.timer.BATCH_SIZE", 10)
        other = owning_timer(hub)
        tabs = []
        for number in range(50):
            keep(f"w{number}")
            tabs += tabs_of(hub, f"w{number}", 1)
        await timer.push(START + 80)
        assert [tab.told for tab in tabs] == [[WARNED]] * 50
        await asyncio.gather(timer.push(START + 100), other.push(START + 100))
        assert [tab.told for tab in tabs] == [[WARNED, ("ended", "idle", False)]] * 50

    async def test_only_who_sleeps_until_the_next_change_has_it_noted(
        self, timer: Timer, monkeypatch: pytest.MonkeyPatch
    ):
        queue = stores.current().queue
        note = mock.AsyncMock(side_effect=queue.next_due)
        monkeypatch.setattr(queue, "next_due", note)
        keep("w1")
        assert await timer.push(START) is None
        note.assert_not_awaited()
        assert await timer.push(START, until_next=True) is not None
        note.assert_awaited_once()

    async def test_a_batch_that_waited_for_another_is_judged_as_of_then(
        self, hub: Hub, timer: Timer, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("idlewatch.runtime.timer.BATCH_SIZE", 1)
        for watch_id in ("w1", "w2", "w3"):
            keep(watch_id)
        stores.current().sessions.apply("w3", Acted(), START + 1)
        tabs = [tab for watch_id in ("w1", "w2", "w3") for tab in tabs_of(hub, watch_id, 1)]
        settle, ticks = stores.current().queue.settle, mock.Mock(return_value=0.0)

        async def slowly(*args: Any) -> Any:
            ticks.return_value += 0.4
            return await settle(*args)

        async def credit() -> None:
            """Credit what came for the third session meanwhile, before that is judged."""
            if ticks.return_value > 0.7:
                stores.current().sessions.apply("w3", Acted(), START + 80.8)

        monkeypatch.setattr(stores.current().queue, "settle", slowly)
        monkeypatch.setattr(timer._clock, "ticks", ticks)
        monkeypatch.setattr(stores, "heartbeats_of", lambda _: mock.Mock(flush=credit))
        await timer.push(START + 80.3)
        assert sorted([frame["remaining"] for frame in tab.frames] for tab in tabs) == [[], [19.3], [19.7]]


@pytest.mark.django_db(transaction=True)
class TestKeep:
    async def test_an_end_by_the_clock_is_recorded_and_the_session_deleted(self, timer: Timer, ends: Any):
        watched = await asign_in()
        store = stores.current()
        store.sessions.apply(watched.id, Held("upload"), START)
        store.sessions.apply(watched.id, Extended(), START + 70)
        await timer.push(START + 70)
        await timer.push(START + 150)
        await timer.push(START + 171)
        await timer.keep(START + 171)
        record = await arecord(watched.id)
        assert (record.reason, record.ended) == ("idle", as_datetime(START + 170))
        assert (record.warnings, record.extensions, record.held_seconds) == (1, 1, 60.0)
        assert record.last_active == as_datetime(START + 70)
        assert not await Session.objects.filter(pk=watched.key).aexists()
        assert ends == [(watched.id, Reason.IDLE, START + 170)]

    async def test_each_end_is_announced_once_by_any_process(self, timer: Timer, hub: Hub, ends: Any):
        watched = await asign_in()
        other = owning_timer(hub)
        await timer.push(START + 100)
        await asyncio.gather(
            timer.keep(START + 100),
            other.keep(START + 100),
            sync_to_async(monitor.finish)(watched.id, START + 100),
            monitor.aend(watched.id, Reason.LOGOUT, START + 100.5),
        )
        for late in (101, 120, 200):
            await timer.keep(START + late)
        assert ends == [(watched.id, Reason.IDLE, START + 100)]
        assert (await arecord(watched.id)).reason == "idle"

    async def test_a_database_that_is_away_repeats_no_push_and_is_made_good(
        self, timer: Timer, hub: Hub, ends: Any, monkeypatch: pytest.MonkeyPatch
    ):
        watched = await asign_in()
        (tab,) = tabs_of(hub, watched.id, 1)
        await timer.push(START + 100)
        with monkeypatch.context() as away:
            away.setattr(records, "close_all", mock.Mock(side_effect=OperationalError("away")))
            with pytest.raises(OperationalError):
                await timer.keep(START + 100)
            for moment in (101, 105, 109):
                await timer.push(START + moment)
                await timer.keep(START + moment)
        assert tab.told == [("ended", "idle", False)]
        await timer.keep(START + 100 + CLAIM_LEASE)
        await timer.push(START + 100 + CLAIM_LEASE)
        assert tab.told == [("ended", "idle", False)]
        assert (await arecord(watched.id)).reason == "idle"
        assert ends == [(watched.id, Reason.IDLE, START + 100)]

    async def test_more_than_a_batch_is_checked_and_recorded_at_once(self, timer: Timer, monkeypatch: Any):
        monkeypatch.setattr("idlewatch.runtime.timer.BATCH_SIZE", 2)
        sessions = await sync_to_async(sign_in_many)(5)
        await Session.objects.all().adelete()
        # Twice: the first time, it is a doubt.
        for moment in (10, 20):
            await timer.keep(START + moment)
        assert [(await arecord(each.id)).reason for each in sessions] == ["lost"] * 5

    @pytest.mark.parametrize("engine", ["cache"], indirect=True)
    @pytest.mark.parametrize("flaw", ["session", "record"])
    async def test_an_end_that_cannot_be_recorded_keeps_no_other_from_it_and_is_tried_again(
        self, timer: Timer, engine: str, flaw: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ):
        sessions = await sync_to_async(sign_in_many)(5)
        bad, others = sessions[2], [*sessions[:2], *sessions[3:]]
        close, delete = records.close_all, django_sessions.engine().delete

        def failing_close(ended: Sequence[Watched]) -> object:
            if flaw == "record" and bad.id in {watched.id for watched in ended}:
                raise ValueError
            return close(ended)

        def failing_delete(store: Any, session_key: str) -> None:
            if flaw == "session" and session_key == bad.key:
                raise ValueError
            delete(store, session_key)

        await timer.push(START + 100)
        with monkeypatch.context() as patch:
            patch.setattr(records, "close_all", failing_close)
            patch.setattr(django_sessions.engine(), "delete", failing_delete)
            for moment in (100, 105, 110, 120):
                await timer.keep(START + moment)
        assert [(await arecord(each.id)).reason for each in others] == ["idle"] * 4
        assert (await arecord(bad.id)).reason == ("" if flaw == "record" else "idle")
        assert await sync_to_async(django_sessions.standing)([str(each.key) for each in sessions]) == {bad.key}
        assert len(errors(caplog)) == 1
        await timer.keep(START + 120 + CLAIM_LEASE)
        assert (await arecord(bad.id)).reason == "idle"
        assert await sync_to_async(django_sessions.standing)([str(bad.key)]) == set()

    async def test_no_more_is_checked_or_recorded_at_once_than_a_round_takes(self, timer: Timer, monkeypatch: Any):
        """So that a round is kept although more is due than the database takes."""
        done: dict[str, list[int]] = {"checked": [], "recorded": []}
        clock = current_process().clock
        assert isinstance(clock, TestClock)
        clock.take_over()
        taking = threading.Lock()

        def take_long(what: str, sessions: Any) -> Any:
            with taking:
                done[what].append(len(sessions))
                clock._go_to(clock.ticks() + 0.4)
            return set()

        monkeypatch.setattr("idlewatch.runtime.timer.BATCH_SIZE", 10)
        monkeypatch.setattr("idlewatch.runtime.ends.BATCH_SIZE", 10)
        monkeypatch.setattr("idlewatch.monitor.revalidation.examine", lambda claimed, _: take_long("checked", claimed))
        monkeypatch.setattr("idlewatch.runtime.ends._record", lambda ended: take_long("recorded", ended))
        for number in range(100):
            keep(f"w{number}")
            stores.current().sessions.end(keep(f"gone{number}").id, Reason.REVOKED, START)
        await timer.keep(START + 10)
        assert done["checked"] == [10, 10]
        # Ends have their turn after a batch of checks, and then for a round, two batches each time; of the last two,
        # one may find the round over.
        assert done["recorded"] in ([10] * 5, [10] * 6)
        assert timer.kept_at == START + 10
        for later in (11.5, 13, 14.5, 16):
            await timer.keep(START + later)
        assert {what: sum(counts) for what, counts in done.items()} == {"checked": 100, "recorded": 100}

    async def test_checks_wait_a_while_for_sessions_that_are_to_be_resumed(self, timer: Timer, monkeypatch: Any):
        checked = mock.Mock(return_value=set())
        monkeypatch.setattr("idlewatch.monitor.revalidation.examine", checked)
        await timer.round(START + 50)
        keep("w1", checkpoint=60.0)
        monkeypatch.setattr(Membership, "is_behind", True)
        await timer.round(START + 50 + CHECK_TIMEOUT - 1)
        assert not checked.called
        await timer.round(START + 50 + CHECK_TIMEOUT)
        assert checked.called

    async def test_many_ends_are_recorded_while_others_are_claimed(self, timer: Timer, monkeypatch: Any):
        """A database that waits for its disk holds up one batch of two."""
        both = asyncio.Barrier(2)

        async def run(*_: object) -> set[str]:
            async with asyncio.timeout(5):
                await both.wait()
            return set()

        monkeypatch.setattr("idlewatch.runtime.ends.BATCH_SIZE", 2)
        for number in range(4):
            stores.current().sessions.end(keep(f"gone{number}").id, Reason.REVOKED, START)
        with mock.patch.object(timer._ends._process.threads, "run", run):
            await timer._ends.record(START + 1)
        assert not await stores.current().queue.claim(Due.RECORD, START + 2 * CLAIM_LEASE, 10, CLAIM_LEASE)

    async def test_the_first_of_many_ends_are_recorded_though_the_store_goes_away_before_the_next(
        self, timer: Timer, monkeypatch: Any
    ):
        monkeypatch.setattr("idlewatch.runtime.ends.BATCH_SIZE", 2)
        sessions = [await asign_in() for _ in range(4)]
        for watched in sessions:
            stores.current().sessions.end(watched.id, Reason.REVOKED, START + 100)
        queue = stores.current().queue
        first = await queue.claim(Due.RECORD, START + 100, 2, CLAIM_LEASE)
        monkeypatch.setattr(queue, "claim", mock.AsyncMock(side_effect=[first, *[StoreUnavailable] * 2]))
        with pytest.raises(StoreUnavailable):
            await timer._ends.record(START + 100)
        ended = {watched.id for watched in sessions if (await arecord(watched.id)).ended}
        assert ended == {watched.id for watched in first}

    async def test_a_round_that_fails_does_not_keep_ends_from_the_records(self, timer: Timer):
        watched = await asign_in()
        await timer.push(START + 100)
        keep("w2")
        flaw = mock.patch("idlewatch.monitor.revalidation.examine", side_effect=RuntimeError("a flaw"))
        with flaw, pytest.raises(RuntimeError, match="a flaw"):
            await timer.keep(START + 100)
        assert (await arecord(watched.id)).reason == "idle"

    async def test_a_stop_is_a_stop_though_the_store_fails_at_that_moment(self, timer: Timer):
        begun = asyncio.Event()

        async def take_long(_: float) -> None:
            begun.set()
            await asyncio.Event().wait()

        fails = mock.patch.object(timer._ends, "record", side_effect=StoreUnavailable)
        with mock.patch.object(timer, "round", take_long), fails:
            task = asyncio.create_task(timer.keep(START))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    async def test_a_round_is_kept_once_a_round(self, timer: Timer):
        with mock.patch.object(timer, "round") as rounds:
            for moment in (0, 0.5, 0.9, 1.0, 1.5, 2.0):
                await timer.keep(START + moment)
        assert rounds.await_count == 3


@pytest.mark.django_db(transaction=True)
class TestRound:
    async def test_a_record_that_cannot_be_read_keeps_no_other_from_the_store(
        self, hub: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ):
        one, bad, other = [await asign_in(name) for name in ("ada", "eve", "joe")]
        await sync_to_async(records.close)(other.id, Reason.REVOKED, START)
        lose_store()
        make = LiveRow._make

        def raising(values: Any) -> LiveRow:
            if bad.id in values:
                raise ValueError
            return make(values)

        monkeypatch.setattr(LiveRow, "_make", raising)
        timer = Timer(current_process(), hub)
        for moment in (1, 2, 3):
            await timer.keep(START + moment)
        assert timer.owns_store
        assert known(one.id).activity.ended is None
        assert stores.current().sessions.get(bad.id) is None
        assert known(other.id).activity.reason is Reason.REVOKED
        assert len(errors(caplog)) == 1

    async def test_a_first_round_owns_the_store_and_resumes_every_session(self, hub: Hub):
        live = [await asign_in(name) for name in ("ada", "eve")]
        gone = await asign_in("old", at=START - 500)
        lose_store()
        timer, (tab,) = Timer(current_process(), hub), tabs_of(hub, gone.id, 1)
        await timer.round(START + 1)
        assert timer.owns_store
        assert timer.kept_at == START + 1
        assert [known(watched.id).verdict(START + 1).phase for watched in live] == ["active", "active"]
        await timer.push(START + 1)
        assert tab.told == [("ended", "idle", False)]
        await timer.keep(START + 2)
        assert (await arecord(gone.id)).ended == as_datetime(START - 400)

    @pytest.mark.rule("R6", "R10")
    @pytest.mark.parametrize("step", [-3600, 0, 3600])
    async def test_a_record_closed_by_another_process_ends_the_session_in_every_tab(
        self, timer: Timer, hub: Hub, ends: Any, step: float, monkeypatch: pytest.MonkeyPatch
    ):
        """Also where the machine's clock was set: a command reads it, and this process counts on from its start."""
        monkeypatch.setattr(time, "time", lambda: START + step)
        watched = await asign_in()
        await timer.round(START + 1)
        await timer.round(START + 2)
        tabs = tabs_of(hub, watched.id)
        await sync_to_async(records.close)(watched.id, Reason.REVOKED, START + 2.5 + step)
        await timer.round(START + 3)
        assert known(watched.id).verdict(START + 3).ends_at <= START + 3
        await timer.push(START + 3)
        assert [tab.told for tab in tabs] == [[("ended", "revoked", False)]] * 3
        await timer.keep(START + 4)
        assert not await Session.objects.filter(pk=watched.key).aexists()
        assert ends == []

    @pytest.mark.rule("R25")
    async def test_a_session_deleted_behind_our_back_is_lost_within_a_checkpoint(self, hub: Hub):
        timer = Timer(current_process(), hub)
        watched = await asign_in(checkpoint=60.0, idle_timeout=900.0)
        (tab,) = tabs_of(hub, watched.id, 1)
        await timer.round(START + 1)
        await Session.objects.all().adelete()
        moment = START + 1
        while not tab.told:
            moment += ROUND_INTERVAL
            assert moment <= START + 1 + 60
            await timer.round(moment)
            await timer.push(moment)
        assert tab.told == [("ended", "lost", False)]
        assert moment > START + RECHECK_INTERVAL
        await timer.keep(moment + ROUND_INTERVAL)
        assert (await arecord(watched.id)).reason == "lost"

    async def test_a_check_that_took_long_doubts_from_its_end(self, hub: Hub, monkeypatch: pytest.MonkeyPatch):
        """What it found may have been committed by the transaction that it waited for."""
        timer = Timer(current_process(), hub)
        watched = await asign_in(checkpoint=60.0, idle_timeout=900.0)
        await timer.round(START + 1)
        ticks = mock.Mock(return_value=0.0)

        def examine(*_: object) -> set[str]:
            ticks.return_value = 8.0
            return {watched.id}

        monkeypatch.setattr("idlewatch.monitor.revalidation.examine", examine)
        monkeypatch.setattr(timer._clock, "ticks", ticks)
        await timer._check(START + 61)
        due_at, claim = START + 69 + RECHECK_INTERVAL, stores.current().queue.claim
        assert not await claim(Due.CHECK, due_at - 1, 10, CLAIM_LEASE)
        assert await claim(Due.CHECK, due_at, 10, CLAIM_LEASE)

    @pytest.mark.rule("R6")
    @pytest.mark.parametrize("taken_for_dead", [False, True])
    async def test_a_process_that_was_stopped_counts_its_tabs_again_and_takes_back_those_of_the_dead(
        self, timer: Timer, hub: Hub, taken_for_dead: bool
    ):
        watched = await asign_in()
        store, name = stores.current(), current_process().name
        await timer.round(START)
        await store.presence.renew("dead", START, PROCESS_LEASE)
        tabs_of(hub, watched.id, 1)
        for process in (name, "dead"):
            store.sessions.apply(watched.id, TabOpened(process, 5), START)
        if taken_for_dead:
            await store.presence.reap(START + PROCESS_LEASE)
            assert known(watched.id).activity.tabs == {}
        await timer.round(START + 60)
        assert known(watched.id).activity.tabs == {name: 1}
        assert known(watched.id).activity.closed_at is None

    async def test_a_process_that_stood_still_judges_only_what_is_still_its_own(self, hub: Hub):
        watched = await asign_in()
        timer, (tab,) = Timer(current_process(), hub), tabs_of(hub, watched.id, 1)
        await timer.round(START + 1)
        lease = current_process().part(StoreLease)
        lease._claimed_at = current_process().clock.ticks() - TRUST_PERIOD
        await timer.push(START + 80)
        assert tab.told == [WARNED]
        lease._claimed_at = current_process().clock.ticks() - TRUST_PERIOD
        await StoreOwner.objects.aupdate(process="other", pid=os.getppid(), renewed=as_datetime(START + 81))
        await timer.push(START + 100)
        assert tab.told == [WARNED]
        assert timer.membership.refused

    async def test_while_another_process_owns_the_store_it_does_nothing_and_then_goes_by_the_records(
        self, hub: Hub, caplog: pytest.LogCaptureFixture
    ):
        # The tests' parent lives as long as they do.
        owner = StoreOwner(host=socket.gethostname(), pid=os.getppid(), process="other", renewed=as_datetime(START))
        watched = await asign_in()
        timer, (tab,) = Timer(current_process(), hub), tabs_of(hub, watched.id, 1)
        await timer.round(START + 1)
        assert timer.owns_store
        await StoreOwner.objects.all().adelete()
        await owner.asave()
        for moment in (80, 81, 82):
            await timer.keep(START + moment)
            await timer.push(START + moment)
        assert not timer.owns_store
        assert (tab.told, tab.dismissed) == ([], True)
        (error,) = errors(caplog)
        assert "memory store supports one process" in error
        later = replace(watched, activity=replace(watched.activity, active=START + 90))
        await sync_to_async(checkpoints.advance)(later, START + 90)
        await StoreOwner.objects.all().adelete()
        await timer.round(START + 91)
        activity = known(watched.id).activity
        assert (activity.active, activity.ended) == (START + 90, None)

    async def test_two_at_once_share_their_parts(self, hub: Hub):
        """As where a test asks for what is due, and the timer runs."""
        timer = Timer(current_process(), hub)
        await asyncio.gather(*(timer.keep(START + moment) for moment in (1, 3)))
        assert timer.kept_at is not None

    async def test_a_sweep_that_raises_keeps_no_other_from_its_work_and_fails_no_round(
        self, hub: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ):
        broken, sweep = mock.Mock(side_effect=ValueError), mock.Mock(return_value=False)
        monkeypatch.setattr("idlewatch.runtime.timer.SWEEPS", [broken, sweep])
        timer = Timer(current_process(), hub)
        for moment in (0, 1, 2, SWEEP_INTERVAL):
            await timer.round(START + moment)
        assert (broken.call_count, sweep.call_count, len(errors(caplog))) == (2, 2, 2)

    async def test_a_sweep_deletes_so_many_batches_at_a_time_and_no_more_once_the_process_stops(
        self, hub: Hub, monkeypatch: pytest.MonkeyPatch
    ):
        begun, go_on, sweep = threading.Event(), threading.Event(), mock.Mock(return_value=True)
        monkeypatch.setattr("idlewatch.runtime.timer.SWEEPS", [sweep])
        monkeypatch.setattr("idlewatch.runtime.timer.MAX_BATCHES", 3)
        timer = Timer(current_process(), hub)
        await timer._sweep(START)
        assert sweep.call_count == 3

        def wait(_: float) -> bool:
            begun.set()
            return go_on.wait(10)

        sweep.side_effect = wait
        sweeping = asyncio.create_task(timer._sweep(START + SWEEP_INTERVAL))
        await asyncio.to_thread(begun.wait, 10)
        sweeping.cancel()
        go_on.set()
        await asyncio.gather(sweeping, return_exceptions=True)
        await asyncio.to_thread(current_process().threads.close)
        assert sweep.call_count == 4


@pytest.mark.django_db(transaction=True)
class TestSampling:
    async def sampled(self) -> list[Sample]:
        return list(await stores.current().statistics.samples())

    async def test_is_done_every_fifteen_seconds_and_outlives_the_process(self, hub: Hub):
        timer = Timer(current_process(), hub)
        await timer.round(START)
        watched = await asign_in()
        for second in range(1, 32):
            await timer.round(START + second)
            if second == 20:
                stores.current().sessions.end(watched.id, Reason.LOGOUT, START + second)
        taken = [
            Sample(START, 0, 0, 0),
            Sample(START + SAMPLE_INTERVAL, 1, 0, 0),
            Sample(START + 2 * SAMPLE_INTERVAL, 0, 0, 1),
        ]
        assert await self.sampled() == taken
        # It was killed, and had no time to write anything down.
        lose_store()
        await Timer(current_process(), hub).round(START + 2 * SAMPLE_INTERVAL + 5)
        assert await self.sampled() == taken

    @pytest.mark.parametrize("later", [SAMPLE_RETENTION + 1, -1000], ids=["too old", "of a clock that was set back"])
    async def test_forgets_what_can_no_longer_be_shown(self, hub: Hub, later: float):
        await Timer(current_process(), hub).round(START)
        lose_store()
        await Timer(current_process(), hub).round(START + later)
        await Timer(current_process(), hub).round(START + later + SAMPLE_INTERVAL)
        kept = [START + later, START + later + SAMPLE_INTERVAL]
        assert [each.at for each in await self.sampled()] == kept
        assert [each.at async for each in HistorySample.objects.order_by("at")] == kept


@pytest.mark.django_db(transaction=True)
class TestRunning:
    @pytest.fixture
    async def running(self, timer: Timer) -> AsyncIterator[TestClock]:
        """The clock by which the timer runs."""
        clock = current_process().clock
        assert isinstance(clock, TestClock)
        clock.take_over()
        task = asyncio.create_task(timer.run())
        yield clock
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def test_tells_a_warning_and_an_end_in_time(self, hub: Hub, running: TestClock):
        keep("w1", idle_timeout=0.6, warn_before=0.3, checkpoint=60.0)
        (tab,) = tabs_of(hub, "w1", 1)
        await running.advance(0.3)
        assert tab.told == [WARNED]
        await running.advance(0.3)
        assert tab.told == [WARNED, ("ended", "idle", False)]

    async def test_changes_that_follow_each_other_closely_are_told_together(
        self, timer: Timer, hub: Hub, running: TestClock, monkeypatch: pytest.MonkeyPatch
    ):
        await running.advance(ROUND_INTERVAL)
        send = mock.AsyncMock(side_effect=timer.publisher.send)
        monkeypatch.setattr(timer.publisher, "send", send)
        tabs = []
        for number in range(20):
            limits = {"idle_timeout": 1.0 + number * PUSH_SPACING / 4, "warn_before": 0.5, "checkpoint": 60.0}
            keep(f"w{number}", at=running.now(), **limits)
            tabs += tabs_of(hub, f"w{number}", 1)
        await running.advance(0.5)
        assert [tab.told for tab in tabs] == [[WARNED]] + [[]] * 19, "the first one does not wait for the others"
        await running.advance(6 * PUSH_SPACING)
        assert [tab.told for tab in tabs] == [[WARNED]] * 20
        assert 2 <= send.await_count <= 6

    async def test_a_change_from_another_thread_is_told_at_once(self, hub: Hub, running: TestClock):
        keep("w1")
        (tab,) = tabs_of(hub, "w1", 1)
        # By then both lanes have been round, and sleep.
        await running.advance(1.2)
        await asyncio.to_thread(stores.current().sessions.end, "w1", Reason.REVOKED, running.now())
        await running.settle()
        assert tab.ended

    async def test_ends_that_follow_each_other_are_recorded_together(
        self, timer: Timer, running: TestClock, monkeypatch: pytest.MonkeyPatch
    ):
        await running.advance(ROUND_INTERVAL)
        record = mock.AsyncMock(side_effect=timer._ends.record)
        monkeypatch.setattr(timer._ends, "record", record)
        limits = [{"idle_timeout": 1.1 + number / 100, "warn_before": 1.0} for number in range(10)]
        ids = [(await asign_in(at=running.now(), **each)).id for each in limits]
        await running.advance(1.1 + 2 * RECORD_SPACING)
        assert record.await_count <= 3
        assert {(await arecord(each)).reason for each in ids} == {"idle"}

    async def test_records_that_took_longer_than_that_are_gone_on_with_at_once(
        self, timer: Timer, running: TestClock, monkeypatch: pytest.MonkeyPatch
    ):
        await running.advance(ROUND_INTERVAL)
        started: list[float] = []

        async def long(now: float) -> float:
            started.append(now)
            await running.sleep(2 * RECORD_SPACING)
            return running.now()

        monkeypatch.setattr(timer, "_record", long)
        await running.advance(ROUND_INTERVAL + 5 * RECORD_SPACING)
        assert [pytest.approx(2 * RECORD_SPACING)] * (len(started) - 1) == [b - a for a, b in pairwise(started)]

    async def test_a_store_that_fails_for_a_while_ends_no_timer(
        self, hub: Hub, running: TestClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ):
        keep("w1", at=START - 85, checkpoint=1000.0)
        (tab,) = tabs_of(hub, "w1", 1)
        with monkeypatch.context() as patch:
            patch.setattr(stores.current().queue, "claim", mock.AsyncMock(side_effect=OSError("away")))
            await running.advance(2 * ROUND_INTERVAL)
        assert tab.told == []
        assert any("A round of the timer failed" in line for line in errors(caplog))
        await running.advance(ROUND_INTERVAL)
        assert tab.told == [WARNED]

    async def test_a_round_that_the_store_failed_is_kept_again_as_soon_as_that_may_be_asked(
        self, timer: Timer, running: TestClock, monkeypatch: pytest.MonkeyPatch
    ):
        await running.advance(ROUND_INTERVAL)
        renew = mock.AsyncMock(side_effect=StoreUnavailable)
        monkeypatch.setattr(timer.membership, "renew", renew)
        await running.advance(ROUND_INTERVAL + 3 * RETRY_INTERVAL)
        began = [call.args[0] for call in renew.await_args_list]
        assert [b - a for a, b in pairwise(began)] == [pytest.approx(RETRY_INTERVAL, abs=0.01)] * (len(began) - 1)
        assert len(began) >= 4

    async def test_a_round_that_takes_long_costs_the_process_no_lease(
        self, timer: Timer, running: TestClock, monkeypatch: pytest.MonkeyPatch
    ):
        await running.advance(ROUND_INTERVAL)
        monkeypatch.setattr(timer.membership, "keep_tabs", lambda _: asyncio.Event().wait())
        await running.advance(30)
        assert timer.kept_at is not None
        assert timer.kept_at < running.now() - 25
        owner = await StoreOwner.objects.aget()
        assert owner.renewed.timestamp() > running.now() - 2 * LATE_AFTER

    @pytest.mark.parametrize("part", ["_check", "_ends.record", "_sample", "_sweep"])
    async def test_a_part_of_a_round_that_waits_for_a_lock_delays_no_round(
        self, timer: Timer, running: TestClock, monkeypatch: pytest.MonkeyPatch, part: str
    ):
        monkeypatch.setattr("idlewatch.runtime.timer.SWEEP_INTERVAL", 10.0)
        *path, name = part.split(".")
        owner = attrgetter(*path)(timer) if path else timer
        begun, go_on, work = [], asyncio.Event(), getattr(owner, name)

        async def waiting(*args: float) -> None:
            begun.append(args)
            await go_on.wait()
            await work(*args)

        monkeypatch.setattr(owner, name, waiting)
        keep("w0", at=START - 100, checkpoint=1000.0)
        await running.advance(30)
        assert timer.kept_at is not None
        assert timer.kept_at > running.now() - 4 * ROUND_INTERVAL
        assert len(begun) == 1
        go_on.set()
        keep("w1", at=START - 100, checkpoint=1000.0)
        await running.advance(30)
        assert len(begun) > 1

    async def test_two_that_keep_a_round_at_once_take_turns(
        self, timer: Timer, running: TestClock, monkeypatch: pytest.MonkeyPatch
    ):
        """A project's test keeps one itself, beside the timer of its application."""
        working, most, work = 0, 0, timer._ends.record

        async def record(now: float, bound: float) -> None:
            nonlocal working, most
            working += 1
            most = max(most, working)
            await work(now, bound)
            working -= 1

        monkeypatch.setattr(timer._ends, "record", record)
        keep("w0", at=START - 100, checkpoint=1000.0)
        await timer.push(running.now())
        await asyncio.gather(*(timer.keep(running.now()) for _ in range(3)))
        assert (working, most) == (0, 1)

    @pytest.mark.usefixtures("clock")
    async def test_a_slow_database_delays_no_push(self, hub: Hub, timer: Timer, monkeypatch: pytest.MonkeyPatch):
        entered, free = threading.Event(), threading.Event()
        monkeypatch.setattr("idlewatch.runtime.ends._record", lambda _: entered.set() or free.wait(20))
        (tab,) = tabs_of(hub, "w1", 1)
        keep("w0", at=START - 100, checkpoint=1000.0)
        # What sleeps waits for real time: to let it pass is to wait for all threads.
        running = asyncio.create_task(timer.run())
        try:
            assert await asyncio.to_thread(entered.wait, 10)
            keep("w1", at=START - 100, checkpoint=1000.0)
            await until(lambda: tab.ended)
        finally:
            free.set()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def test_a_loop_that_closed_without_ending_its_timer_hinders_no_other(monkeypatch: pytest.MonkeyPatch):
    timer = Timer(current_process(), Hub(current_process()))
    monkeypatch.setattr(timer, "keep", mock.AsyncMock(return_value=math.inf))
    timer.membership.owns_store = True
    loop = asyncio.new_event_loop()
    task = loop.create_task(timer.run())
    loop.call_later(0.1, loop.stop)
    loop.run_forever()
    loop.close()
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    keep("w1")
    stores.current().sessions.end("w1", Reason.REVOKED, START)
    assert known("w1").activity.reason is Reason.REVOKED


@pytest.mark.django_db(transaction=True)
class TestFinish:
    async def test_what_the_store_alone_knew_is_written_down_and_the_store_given_up(self, hub: Hub, clock: Time):
        active, closed = [await asign_in(name, checkpoint=60.0) for name in ("ada", "eve")]
        timer, sessions = Timer(current_process(), hub), stores.current().sessions
        await timer.round(START)
        sessions.apply(active.id, Acted(), START + 3.25)
        sessions.apply(closed.id, TabOpened(current_process().name, 5), START)
        sessions.apply(closed.id, TabClosed(current_process().name, closed=True), START)
        assert await StoreOwner.objects.acount() == 1
        clock.pass_(31)
        await timer.push(clock.now)
        await timer.finish()
        assert (await arecord(active.id)).last_active == as_datetime(START + 3.25)
        assert (await arecord(closed.id)).reason == "closed"
        assert await StoreOwner.objects.acount() == 0

    async def test_a_statement_that_fails_is_tried_again(self, hub: Hub, clock: Time, monkeypatch: pytest.MonkeyPatch):
        watched = await asign_in(checkpoint=60.0)
        timer = Timer(current_process(), hub)
        await timer.round(START)
        stores.current().sessions.apply(watched.id, Acted(), START + 3.25)
        checkpoint, failures = checkpoints.checkpoint, [OperationalError("lost")]

        def fail_once(*args: Any, **options: Any) -> None:
            if failures:
                raise failures.pop()
            checkpoint(*args, **options)

        monkeypatch.setattr(checkpoints, "checkpoint", fail_once)
        clock.pass_(31)
        await timer.finish()
        assert (await arecord(watched.id)).last_active == as_datetime(START + 3.25)

    async def test_nor_is_forgotten_what_requests_brought_before_the_first_round(self, hub: Hub, clock: Time):
        watched = await asign_in()
        await sync_to_async(stores.require_store)(START)
        stores.current().sessions.apply(watched.id, Acted(), START + 5)
        clock.pass_(5)
        await Timer(current_process(), hub).finish()
        assert (await arecord(watched.id)).last_active == as_datetime(START + 5)
        assert await StoreOwner.objects.acount() == 0

    async def test_a_closed_browser_is_written_down_again_where_a_check_has_left_it_out(self, hub: Hub, clock: Time):
        watched = await asign_in(close_grace=60)
        timer, sessions = Timer(current_process(), hub), stores.current().sessions
        await timer.round(START)
        sessions.apply(watched.id, TabOpened(current_process().name, 5), START)
        sessions.apply(watched.id, TabClosed(current_process().name, closed=True), START)
        for _ in range(2):
            await timer.finish()
            lose_store()
            timer = Timer(current_process(), hub)
            for _ in range(2):
                await timer.round(clock.pass_(10))
        assert known(watched.id).activity.closed_at == START

    async def test_a_process_that_does_not_own_the_store_writes_nothing(self, hub: Hub):
        watched = await asign_in()
        stores.current().sessions.apply(watched.id, Acted(), START + 5)
        await Timer(current_process(), hub).finish()
        assert (await arecord(watched.id)).last_active == as_datetime(START)


@pytest.mark.redis
@pytest.mark.django_db(transaction=True)
class TestSharedStore:
    @pytest.fixture
    def shared(self, tmp_path: Path, clock: Time) -> Iterator[Outage]:
        with outage(tmp_path, clock, persistent=True) as made:
            yield made

    async def test_it_ends_no_session_until_the_others_have_reported(self, shared: Outage, clock: Time):
        web = shared.process("web")
        watch_id = (await web.asign_in()).id
        (tab,) = tabs_of(web.hub, watch_id, 1)
        await shared.around()
        shared.redis.stop()
        clock.pass_(101)
        await shared.around()
        shared.redis.start()
        for _ in range(int(REPORT_GRACE)):
            await shared.around()
            clock.pass_(0.99)
            assert tab.told == []
        clock.pass_(1)
        await shared.around()
        assert tab.told == [("ended", "idle", False)]
        assert (await arecord(watch_id)).reason == "idle"

    async def test_it_ends_no_session_of_which_the_record_has_later_activity(self, shared: Outage, clock: Time):
        """A process that could not reach the store for a moment has judged by the record, and advanced it."""
        web = shared.process("web")
        watched = await web.asign_in()
        (tab,) = tabs_of(web.hub, watched.id, 1)
        await shared.around()
        later = replace(watched, activity=replace(watched.activity, active=START + 90))
        await sync_to_async(checkpoints.advance)(later, START + 90)
        clock.pass_(101)
        with web.entered():
            # Before a check of the session, which would report it too.
            await web.timer.push(clock.now)
        assert tab.told == []
        assert (await web.recovery.sessions.aget(watched.id)).activity.active == START + 90
        clock.pass_(90)
        await shared.around()
        assert tab.told == [("ended", "idle", False)]

    @pytest.mark.rule("R9")
    async def test_what_its_record_says_ended_before_its_deadline_is_told_the_reason_of_that(
        self, shared: Outage, clock: Time
    ):
        """A process that could not reach the store for a moment has closed the record alone."""
        web = shared.process("web")
        watched = await web.asign_in()
        (tab,) = tabs_of(web.hub, watched.id, 1)
        await shared.around()
        await sync_to_async(records.close)(watched.id, Reason.ACCOUNT, START + 99)
        clock.pass_(101)
        with web.entered():
            for _ in range(2):
                await web.timer.push(clock.now)
        assert tab.told == [("ended", "account", False)]

    async def test_what_a_layer_lost_is_told_later(self, shared: Outage, clock: Time):
        one, two = shared.process("one"), shared.process("two")
        watch_id = (await one.asign_in()).id
        (tab,) = tabs_of(two.hub, watch_id, 1)
        await shared.around()
        clock.pass_(85)
        # The layer of the tests reaches no other process.
        await one.around()
        assert tab.told == []
        clock.pass_(1)
        await two.around()
        assert tab.told == [WARNED]
        clock.pass_(2)
        await two.around()
        assert tab.told == [WARNED]

    async def test_a_session_that_the_store_lacks_is_resumed_within_a_comparison_however_new_it_is(
        self, shared: Outage, clock: Time
    ):
        web = shared.process("web")
        await shared.around()
        watch_id = (await web.asign_in()).id
        # As where the answer to the commit of the sign-in was lost, or Redis evicted it.
        with shared.redis.client() as client:
            assert client.delete(f"{PREFIX}watch:{watch_id}")
        clock.pass_(COMPARE_INTERVAL)
        await shared.around()
        assert (await web.recovery.sessions.aget(watch_id)).activity.active == START

    async def test_a_round_in_which_nothing_is_due_asks_redis_little(
        self, shared: Outage, clock: Time, monkeypatch: pytest.MonkeyPatch
    ):
        web, asked, ask = shared.process("web"), [], Client.acall

        async def note(client: Client, command: Command) -> Any:
            asked.append(command.name)
            return await ask(client, command)

        await web.asign_in()
        await web.around()
        clock.pass_(REPORT_GRACE + 1)
        await web.around()
        monkeypatch.setattr(Client, "acall", note)
        clock.pass_(ROUND_INTERVAL)
        with web.entered():
            await web.timer.push(clock.now)
            await web.timer.keep(clock.now)
        assert sorted(asked) == ["ZRANGE", "claim", "claim", "renew", "time"]

    @pytest.mark.parametrize("count", [0, 1, 3])
    async def test_a_number_of_tabs_that_the_store_has_wrong_is_put_right(
        self, shared: Outage, clock: Time, count: int
    ):
        web = shared.process("web")
        watch_id = (await web.asign_in(idle_timeout=1000.0)).id
        tabs_of(web.hub, watch_id, 2)
        await shared.around(REPORT_GRACE + 1)
        # As a replica has it that was behind when it took over.
        await web.recovery.sessions.aapply(watch_id, TabsCounted("web", count), clock.now)
        clock.pass_(COMPARE_INTERVAL)
        await shared.around()
        assert (await web.recovery.sessions.aget(watch_id)).activity.tabs == {"web": 2}

    async def test_a_process_that_goes_gives_its_tabs_back_but_judges_nothing_before_all_have_reported(
        self, shared: Outage, clock: Time
    ):
        one, two, last = (shared.process(name) for name in ("one", "two", "last"))
        watch_id = (await one.asign_in()).id
        for process in (one, two, last):
            await process.around()
            tabs_of(process.hub, watch_id, 1)
            with process.entered():
                await process.store.sessions.aapply(watch_id, TabOpened(process.name, 5), START)
        await shared.around(REPORT_GRACE + 1)
        with one.entered():
            await one.timer.finish()
        activity = (await two.store.sessions.aget(watch_id)).activity
        assert (activity.tabs, activity.closed_at) == ({"two": 1, "last": 1}, None)
        shared.made.remove(one)
        shared.redis.stop()
        clock.pass_(101)
        await shared.around()
        shared.redis.start()
        # The last one has not come back yet; its lease lapsed long ago.
        await two.around()
        with two.entered():
            await two.timer.finish()
        assert (await two.recovery.sessions.aget(watch_id)).activity.ended is None

    async def test_what_was_not_made_good_is_tried_again(
        self, shared: Outage, clock: Time, monkeypatch: pytest.MonkeyPatch
    ):
        web = shared.process("web")
        watch_id = (await web.asign_in(idle_timeout=1000.0)).id
        tabs_of(web.hub, watch_id, 2)
        await shared.around(REPORT_GRACE + 1)
        with shared.redis.client() as client:
            client.flushall()
        clock.pass_(1)
        with monkeypatch.context() as patch:
            patch.setattr(web.recovery, "advance", mock.AsyncMock(side_effect=StoreUnavailable))
            await shared.around()
        # By now the store knows the process.
        clock.pass_(1)
        await shared.around()
        assert (await web.recovery.sessions.aget(watch_id)).activity.tabs == {"web": 2}

    async def test_a_tab_that_was_closed_while_the_store_was_away_counts_no_more(self, shared: Outage, clock: Time):
        web = shared.process("web")
        watch_id = (await web.asign_in(idle_timeout=1000.0)).id
        (tab,) = tabs_of(web.hub, watch_id, 1)
        await shared.around(REPORT_GRACE + 1)
        assert (await web.recovery.sessions.aget(watch_id)).activity.tabs == {"web": 1}
        shared.redis.stop()
        clock.pass_(1)
        web.hub.leave(watch_id, tab)
        with web.entered():
            await web.store.sessions.aapply(watch_id, TabClosed("web", closed=True), clock.now)
        shared.redis.start()
        clock.pass_(1)
        await shared.around()
        assert (await web.recovery.sessions.aget(watch_id)).activity.tabs == {}

    async def test_a_session_that_began_while_the_store_was_away_is_ended_though_its_process_is_gone(
        self, shared: Outage, clock: Time
    ):
        gone, other = shared.process("gone"), shared.process("other")
        await shared.around(REPORT_GRACE + 1)
        shared.redis.stop()
        watch_id = (await gone.asign_in(at=clock.now)).id
        shared.made.remove(gone)
        gone.store.close()
        shared.redis.start()
        await shared.around(120)
        assert (await other.recovery.sessions.aget(watch_id)).activity.reason is Reason.IDLE
        assert (await arecord(watch_id)).reason == "idle"

    async def test_other_processes_are_sent_no_change_of_which_only_this_one_has_tabs(
        self, shared: Outage, clock: Time, monkeypatch: pytest.MonkeyPatch
    ):
        web = shared.process("web")
        await shared.around(REPORT_GRACE + 1)
        ids = {name: (await web.asign_in()).id for name in ("here", "elsewhere", "both", "uncounted")}
        for name, process in (("here", "web"), ("elsewhere", "another"), ("both", "web"), ("both", "another")):
            await web.store.sessions.aapply(ids[name], TabsCounted(process, 1), clock.now)
        layer = mock.Mock(group_send=mock.AsyncMock())
        monkeypatch.setattr("idlewatch.runtime.publisher.get_channel_layer", lambda: layer)
        clock.pass_(81)
        with web.entered():
            await web.timer.push(clock.now)
        ((_, message), _) = layer.group_send.await_args
        assert {change.watch_id for change in changes.changes_in(message["changes"])} == {
            ids["elsewhere"],
            ids["both"],
            ids["uncounted"],
        }

    async def test_more_is_settled_while_frames_are_on_their_way_and_sent_after_them(
        self, shared: Outage, clock: Time, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("idlewatch.runtime.timer.BATCH_SIZE", 2)
        web = shared.process("web")
        await shared.around(REPORT_GRACE + 1)
        ids = {(await web.asign_in()).id for _ in range(5)}
        sent: list[set[str]] = []
        gate = asyncio.Event()

        async def send(_: str, message: Any) -> None:
            sent.append({change.watch_id for change in changes.changes_in(message["changes"])})
            await gate.wait()

        monkeypatch.setattr("idlewatch.runtime.publisher.get_channel_layer", lambda: mock.Mock(group_send=send))
        clock.pass_(81)
        with web.entered():
            pushing = asyncio.ensure_future(web.timer.push(clock.now))

        async def count_warned() -> int:
            found = await web.store.sessions.aget_many(list(ids))
            return sum(watched is not None and watched.shown == WARNED for watched in found)

        async with asyncio.timeout(5):
            while await count_warned() < 4:  # noqa: ASYNC110 - it happens in another task
                await asyncio.sleep(0.01)
        assert len(sent) == 1
        gate.set()
        await pushing
        assert [len(each) for each in sent] == [2, 2, 1]
        assert set.union(*sent) == ids

    async def test_a_layer_that_takes_no_message_holds_the_lane_up_for_seconds_only(
        self, shared: Outage, clock: Time, monkeypatch: pytest.MonkeyPatch
    ):
        web = shared.process("web")
        watch_id = (await web.asign_in()).id
        (tab,) = tabs_of(web.hub, watch_id, 1)
        await shared.around(REPORT_GRACE + 1)
        await web.store.sessions.aapply(watch_id, TabsCounted("another", 1), clock.now)
        stuck = mock.Mock(group_send=mock.AsyncMock(side_effect=asyncio.Event().wait))
        monkeypatch.setattr("idlewatch.runtime.publisher.get_channel_layer", lambda: stuck)
        monkeypatch.setattr("idlewatch.runtime.publisher.LAYER_TIMEOUT", 0.05)
        clock.now = START + 81
        with web.entered(), pytest.raises(LayerUnavailable):
            await web.timer.push(clock.now)
        assert tab.told == [WARNED]
        # Not confirmed: it is published again.
        clock.pass_(CLAIM_LEASE)
        with web.entered(), pytest.raises(LayerUnavailable):
            await web.timer.push(clock.now)

    async def test_it_keeps_the_samples_itself(self, shared: Outage):
        one, two = shared.process("one"), shared.process("two")
        await one.asign_in()
        await shared.around(20)
        for process in (one, two):
            samples = await process.store.statistics.samples()
            assert [(each.active, each.warned, each.ended) for each in samples] == [(1, 0, 0)] * 2
        assert await HistorySample.objects.acount() == 0
