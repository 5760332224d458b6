from __future__ import annotations

import asyncio
import threading

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection, transaction
from django.test import TestCase, override_settings

from idlewatch.core.protocol import Close
from idlewatch.models import WatchedSession
from idlewatch.process import Lane, current_process, in_thread
from idlewatch.runtime.runtime import runtime_of
from tests.support.clocks import TestClock
from tests.support.sockets import Tab, sign_in

OWN = [Lane.TIMER, Lane.LIVE, Lane.SEARCH]


def thread() -> str:
    return threading.current_thread().name


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("lane", OWN)
class TestALaneWithAThreadOfItsOwn:
    async def test_has_one_that_leaves_no_connection_open(self, lane: Lane):
        assert (await in_thread(lane, thread)).startswith(f"idlewatch-{lane.value}")
        assert len({await in_thread(lane, threading.get_ident) for _ in range(5)}) == 1
        await in_thread(lane, User.objects.count)
        assert await in_thread(lane, lambda: connection.connection) is None

    async def test_is_not_held_up_by_djangos_thread(self, lane: Lane):
        await in_thread(lane, thread)
        entered, go_on = threading.Event(), threading.Event()

        def block() -> None:
            entered.set()
            go_on.wait(30)

        blocking = asyncio.create_task(in_thread(Lane.DATABASE, block))
        await asyncio.to_thread(entered.wait, 30)
        assert await in_thread(lane, User.objects.count) == 0
        go_on.set()
        await blocking

    async def test_needs_nothing_of_djangos_thread_in_production(self, lane: Lane, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.delattr(mail, "outbox")
        monkeypatch.setattr("idlewatch.process.threads._are_connections_tied", lambda: pytest.fail("asked"))
        assert (await in_thread(lane, thread)).startswith(f"idlewatch-{lane.value}")


class TestInATestsTransaction(TestCase):
    """A project's tests with a communicator: no other thread would see what they wrote."""

    async def test_the_work_stays_in_djangos_thread_and_sees_the_same(self):
        for lane in OWN:
            await in_thread(Lane.DATABASE, User.objects.create_user, lane.value)
            assert await in_thread(lane, User.objects.filter(username=lane.value).exists)
            assert await in_thread(lane, thread) == await in_thread(Lane.DATABASE, thread)

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
