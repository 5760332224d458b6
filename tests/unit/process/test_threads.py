from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection, connections, transaction
from django.test import TestCase, override_settings

from idlewatch.core.protocol import Close
from idlewatch.models import WatchedSession
from idlewatch.process import Lane, current_process, in_thread
from idlewatch.process.threads import BUSY_THREADS, SIZES, STEADY, _are_connections_tied
from idlewatch.runtime.runtime import runtime_of
from tests.support.clocks import TestClock
from tests.support.sockets import Tab, sign_in, until

OWN = [lane for lane in Lane if lane is not Lane.REQUEST]
WITH_DATABASE = [lane for lane in OWN if lane is not Lane.WAITING]
SHARED = {lane: size for lane, size in SIZES.items() if size > 1 and lane is not Lane.WAITING}


def thread() -> str:
    return threading.current_thread().name


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("lane", WITH_DATABASE)
class TestALane:
    async def test_has_threads_of_its_own_that_leave_no_connection_open(self, lane: Lane):
        names = {await in_thread(lane, thread) for _ in range(5)}
        assert all(name.startswith(f"idlewatch-{lane.value}") for name in names)
        assert len(names) <= SIZES[lane]
        await in_thread(lane, User.objects.count)
        assert await in_thread(lane, lambda: connection.connection) is None

    async def test_is_not_held_up_by_djangos_thread(self, lane: Lane):
        """The project's consumers work in it, and any caller of `sync_to_async` outside of a request."""
        await in_thread(lane, thread)
        entered, go_on = threading.Event(), threading.Event()

        def block() -> None:
            entered.set()
            go_on.wait(30)

        blocking = asyncio.create_task(sync_to_async(block)())
        await asyncio.to_thread(entered.wait, 30)
        assert await in_thread(lane, User.objects.count) == 0
        go_on.set()
        await blocking

    async def test_needs_nothing_of_djangos_thread_in_production(self, lane: Lane, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.delattr(mail, "outbox")
        monkeypatch.setattr("idlewatch.process.threads._are_connections_tied", lambda: pytest.fail("asked"))
        assert (await in_thread(lane, thread)).startswith(f"idlewatch-{lane.value}")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("lane", STEADY)
class TestALaneThatWorksEverySecond:
    @pytest.fixture(autouse=True)
    def one_thread_in_production(self, lane: Lane, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.delattr(mail, "outbox")
        monkeypatch.setitem(SIZES, lane, 1)
        current_process().threads.close()
        yield
        current_process().threads.close()

    @staticmethod
    def count() -> object:
        User.objects.count()
        return connection.connection

    async def test_keeps_its_connection_for_the_next_call(self, lane: Lane):
        assert await in_thread(lane, self.count) is await in_thread(lane, self.count)

    async def test_closes_one_that_is_old(self, lane: Lane, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("idlewatch.process.threads.CONNECTION_AGE", 0.0)
        opened = await in_thread(lane, self.count)
        assert await in_thread(lane, self.count) is not opened

    async def test_leaves_a_pool_its_connections(self, lane: Lane, monkeypatch: pytest.MonkeyPatch):
        def ask_in_pool() -> None:
            User.objects.count()
            monkeypatch.setitem(connection.settings_dict["OPTIONS"], "pool", True)

        await in_thread(lane, ask_in_pool)
        assert await in_thread(lane, lambda: connection.connection) is None

    async def test_notices_a_database_that_was_restarted_in_between(self, lane: Lane):
        opened = await in_thread(lane, self.count)
        await in_thread(lane, lambda: setattr(connection, "is_usable", lambda: False))
        assert await in_thread(lane, self.count) is not opened

    async def test_closes_it_when_it_rests(self, lane: Lane):
        opened = await in_thread(lane, self.count)
        started = await in_thread(lane, threading.current_thread)
        current_process().threads.rest(lane)
        await until(lambda: not started.is_alive())
        with pytest.raises(Exception, match="closed"):
            opened.cursor()
        assert await in_thread(lane, self.count) is not opened


async def test_a_lane_that_rests_finishes_what_it_was_given():
    go_on = threading.Event()
    waiting = asyncio.create_task(in_thread(Lane.LIVE, go_on.wait, 30))
    await asyncio.sleep(0)
    current_process().threads.rest(Lane.LIVE)
    assert await in_thread(Lane.LIVE, thread)
    go_on.set()
    assert await waiting


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("lane", SHARED)
class TestALaneWithSeveralThreads:
    @pytest.fixture(autouse=True)
    def hasty(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("idlewatch.process.threads.STUCK_AFTER", 0.001)

    async def test_is_not_held_up_by_those_that_wait_for_a_lock(self, lane: Lane):
        go_on = threading.Event()
        blocking = [asyncio.create_task(in_thread(lane, go_on.wait, 30)) for _ in range(SIZES[lane] - 1)]
        assert await in_thread(lane, User.objects.count) == 0
        assert not any(task.done() for task in blocking)
        go_on.set()
        assert all(await asyncio.gather(*blocking))

    async def test_has_a_bounded_number_of_them(self, lane: Lane):
        go_on = threading.Event()
        # Those of another test's process end when it is collected.
        others = set(threading.enumerate())
        blocking = [asyncio.create_task(in_thread(lane, go_on.wait, 30)) for _ in range(SIZES[lane] + 3)]
        prefix = f"idlewatch-{lane.value}_"

        def count() -> int:
            return sum(each.name.startswith(prefix) for each in set(threading.enumerate()) - others)

        await until(lambda: count() == SIZES[lane])
        await asyncio.sleep(0.05)
        assert count() == SIZES[lane]
        go_on.set()
        assert all(await asyncio.gather(*blocking))


async def test_sockets_keep_few_threads_busy_at_once(monkeypatch):
    """More would delay the event loop, while thousands of pages come back."""
    # A machine that stalls makes a thread look like one that waits.
    monkeypatch.setattr("idlewatch.process.threads.STUCK_AFTER", 60)
    working, most = 0, 0

    def work() -> None:
        nonlocal working, most
        working += 1
        most = max(most, working)
        time.sleep(0.001)
        working -= 1

    await asyncio.gather(*(in_thread(Lane.DATABASE, work) for _ in range(50)))
    assert 0 < most <= BUSY_THREADS


async def test_a_hop_that_is_cancelled_before_its_turn_is_not_made():
    go_on, made = threading.Event(), []
    blocking = [asyncio.create_task(in_thread(Lane.DATABASE, go_on.wait, 30)) for _ in range(BUSY_THREADS)]
    await asyncio.sleep(0)
    hop = asyncio.create_task(in_thread(Lane.DATABASE, made.append, 1))
    await asyncio.sleep(0)
    hop.cancel()
    go_on.set()
    await asyncio.gather(*blocking)
    assert hop.cancelled()
    assert made == []


class TestInATestsTransaction(TestCase):
    """A project's tests with a communicator: no other thread would see what they wrote."""

    async def test_the_work_stays_in_djangos_thread_and_sees_the_same(self):
        for lane in WITH_DATABASE:
            await sync_to_async(User.objects.create_user)(lane.value)
            assert await in_thread(lane, User.objects.filter(username=lane.value).exists)
            assert await in_thread(lane, thread) == await sync_to_async(thread)()

    @override_settings(IDLEWATCH={"IDLE_TIMEOUT": 6, "WARN_BEFORE": 3, "HEARTBEAT": 1})
    async def test_a_communicator_is_told_what_the_timer_finds(self):
        """As a project's own test has it: one process, its application, and a socket without a server."""
        clock = current_process().clock
        assert isinstance(clock, TestClock)
        clock.take_over()
        tab = await Tab.open(await sign_in())
        await clock.advance(3)
        assert (await tab.frame())["phase"] == "warned"
        await clock.advance(3)
        assert (await tab.frame())["reason"] == "idle"
        assert await tab.close_code() == Close.ENDED
        await tab.leave()
        await clock.advance(2)
        assert await in_thread(Lane.DATABASE, WatchedSession.objects.filter(reason="idle").count) == 1
        await runtime_of(current_process()).stop()


def test_a_database_in_memory_is_djangos_alone_before_it_was_asked_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(connections.settings["default"], "NAME", ":memory:")
    with ThreadPoolExecutor(1) as unused:
        assert unused.submit(_are_connections_tied).result(10)


@pytest.mark.django_db(transaction=True)
async def test_a_request_keeps_its_connection():
    def atomic() -> bool:
        with transaction.atomic():
            return connection.in_atomic_block

    assert await in_thread(Lane.REQUEST, atomic)
    assert await in_thread(Lane.REQUEST, lambda: connection.connection is not None)


@pytest.mark.django_db(transaction=True)
async def test_what_waits_holds_up_nothing():
    go_on = threading.Event()
    waiting = asyncio.create_task(in_thread(Lane.WAITING, go_on.wait, 30))
    await in_thread(Lane.DATABASE, thread)
    assert not waiting.done()
    go_on.set()
    assert await waiting


def test_closing_ends_the_threads():
    threads = current_process().threads
    started = [threads._executor(lane).submit(threading.current_thread).result() for lane in OWN]
    threads.close()
    assert not any(each.is_alive() for each in started)
