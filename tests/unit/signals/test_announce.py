from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import partial
from typing import Any
from unittest.mock import Mock

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import connections, transaction
from django.dispatch import Signal

from idlewatch import metrics
from idlewatch.core.activity import Reason
from idlewatch.core.events import Extended
from idlewatch.models import WatchedSession
from idlewatch.monitor import service as monitor
from idlewatch.process import Process, current_process
from idlewatch.process import process as process_module
from idlewatch.runtime.hub import Hub
from idlewatch.runtime.runtime import Runtime
from idlewatch.runtime.timer import Timer
from idlewatch.signals import (
    announce,
    dispatcher,
    session_ended,
    session_extended,
    session_opened,
    session_warned,
    worker,
)
from tests.conftest import START
from tests.support.announced import WITHIN, Heard
from tests.support.serving import ROOT, clean_environment
from tests.support.sockets import errors
from tests.support.watches import keep, sign_in_many

SIGNALS = (session_opened, session_warned, session_extended, session_ended)
Connect = Callable[..., None]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connect a receiver to a signal for the length of a test."""
    connected: list[tuple[Signal, Any]] = []

    def connect(receiver: Any, signal: Signal = session_ended, **options: Any) -> None:
        signal.connect(receiver, weak=False, **options)
        connected.append((signal, receiver))

    yield connect
    for signal, receiver in connected:
        signal.disconnect(receiver)
    assert dispatcher.wait(WITHIN)


@pytest.fixture
def hung(connect: Connect) -> Iterator[threading.Event]:
    """A receiver that does not come back during a test; the event is set once it is called."""
    free, entered = threading.Event(), threading.Event()

    def hang(**_: Any) -> None:
        entered.set()
        free.wait(60)

    connect(hang)
    yield entered
    free.set()


def said_slow(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if "takes over" in each.getMessage()]


def end(watch_id: str = "w1", by: User | None = None) -> None:
    """Announce an end."""
    announce.ended(keep(watch_id), Reason.IDLE, START, by)


def failures(signal: str, why: str) -> float:
    return metrics.RECEIVER_FAILURES.labels(signal, why)._value.get()  # type: ignore[no-any-return]


def threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "idlewatch-signals"]


@pytest.mark.django_db(transaction=True)
class TestReceivers:
    def test_one_is_called_in_a_thread_of_its_own_with_what_is_documented(self, connect: Connect):
        heard = Heard()
        connect(lambda **told: heard.append((threading.current_thread(), told)))
        end()
        ((thread, told),) = list(heard)
        assert thread is not threading.current_thread()
        assert told.pop("signal") is session_ended
        assert told.pop("sender") is WatchedSession
        assert told == {"watch_id": "w1", "user": "1", "reason": Reason.IDLE, "at": START, "by": None}

    def test_each_is_called_in_the_order_in_which_things_happened(self, connect: Connect):
        heard = Heard()

        def hear(signal: Any, watch_id: str, **_: Any) -> None:
            heard.append((signal.name, watch_id))

        connect(hear, session_opened)
        connect(hear, session_ended)
        for number in range(50):
            announce.opened(keep(f"w{number}"))
            end(f"w{number}")
        told = [(name, f"w{number}") for number in range(50) for name in ("session_opened", "session_ended")]
        assert heard == told

    def test_so_does_a_method_which_is_another_object_each_time(self):
        heard = Heard()

        class Receiver:
            def hear(self, watch_id: str, **_: Any) -> None:
                if watch_id == "w0":
                    time.sleep(0.01)
                heard.append((watch_id, threading.get_ident()))

        receiver = Receiver()
        session_ended.connect(receiver.hear)
        try:
            for number in range(20):
                end(f"w{number}")
            assert [watch_id for watch_id, _ in heard] == [f"w{number}" for number in range(20)]
        finally:
            session_ended.disconnect(receiver.hear)
        assert len({thread for _, thread in heard}) == 1

    def test_none_sees_what_the_context_of_the_caller_holds(self, connect: Connect):
        heard, held = Heard(), ContextVar("held", default="nothing")
        connect(lambda **_: heard.append(held.get()))
        token = held.set("something of the request")
        try:
            end()
            assert heard == ["nothing"]
        finally:
            held.reset(token)

    def test_one_that_raises_is_logged_by_its_name_and_stops_no_other(
        self, connect: Connect, caplog: pytest.LogCaptureFixture
    ):
        heard, before = Heard(), failures("session_ended", "raised")

        def broken(**_: Any) -> None:
            raise SystemExit("broken")

        connect(broken)
        connect(lambda watch_id, **_: heard.append(watch_id))
        end("w1")
        end("w2")
        assert heard == ["w1", "w2"]
        lines = errors(caplog)
        assert len(lines) == 2
        assert f"{__name__}.TestReceivers" in lines[0]
        assert "broken of session_ended failed" in lines[0]
        assert failures("session_ended", "raised") == before + 2

    @pytest.mark.usefixtures("hung")
    def test_one_that_hangs_holds_up_neither_the_caller_nor_the_others(self, connect: Connect):
        heard, others = [], threading.Event()

        def hear(watch_id: str, **_: Any) -> None:
            heard.append(watch_id)
            if len(heard) == 2:
                others.set()

        connect(hear)
        end("w1")
        end("w2")
        assert others.wait(WITHIN)
        assert not dispatcher.wait(0)

    def test_one_that_is_slow_is_logged_once_a_call(
        self, connect: Connect, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(worker, "SLOW_AFTER", 0.02)
        before = failures("session_ended", "slow")
        connect(lambda **_: time.sleep(0.1))
        end()
        assert dispatcher.wait(WITHIN)
        (line,) = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
        assert "takes over 0.02 s" in line
        assert failures("session_ended", "slow") == before + 1

    def test_one_that_never_comes_back_is_logged_when_there_is_more_to_tell(
        self, hung: threading.Event, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ):
        end("w1")
        assert hung.wait(WITHIN)
        monkeypatch.setattr(worker, "SLOW_AFTER", 0.0)
        end("w2")
        end("w3")
        assert len(said_slow(caplog)) == 1

    async def test_or_by_the_timer_where_nothing_more_happens(
        self, hung: threading.Event, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ):
        await sync_to_async(end)()
        assert await asyncio.to_thread(hung.wait, WITHIN)
        monkeypatch.setattr(worker, "SLOW_AFTER", 0.0)
        await Timer(current_process(), Hub(current_process())).round(START)
        assert len(said_slow(caplog)) == 1

    def test_one_with_arguments_of_its_own_is_logged_by_its_name(
        self, connect: Connect, caplog: pytest.LogCaptureFixture
    ):
        def broken(**_: Any) -> None:
            raise ValueError("broken")

        connect(partial(broken, site="shop"))
        end()
        assert dispatcher.wait(WITHIN)
        assert "broken of session_ended failed" in errors(caplog)[0]

    def test_one_that_falls_behind_loses_what_is_too_much_and_the_log_says_how_much(
        self, connect: Connect, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(worker, "QUEUE_SIZE", 3)
        free, entered, heard = threading.Event(), threading.Event(), Heard()
        before = failures("session_ended", "dropped")

        def hear(watch_id: str, **_: Any) -> None:
            entered.set()
            free.wait(60)
            heard.append(watch_id)

        connect(hear)
        end("w0")
        assert entered.wait(WITHIN)
        for number in range(1, 7):
            end(f"w{number}")
        free.set()
        assert heard == ["w0", "w1", "w2", "w3"]
        assert dispatcher.wait(WITHIN)
        # Also where nothing more happens.
        first, second = errors(caplog)
        assert "is dropped" in first
        assert "missed 3 events" in second
        end("w7")
        assert heard == ["w0", "w1", "w2", "w3", "w7"]
        assert dispatcher.wait(WITHIN)
        assert len(errors(caplog)) == 2
        assert failures("session_ended", "dropped") == before + 3

    def test_one_that_is_async_is_awaited(self, connect: Connect):
        heard = Heard()

        async def hear(watch_id: str, **_: Any) -> None:
            await asyncio.sleep(0)
            heard.append((watch_id, await User.objects.acount()))

        connect(hear)
        end()
        assert heard == [("w1", 0)]

    def test_its_connections_to_the_database_are_closed(self, connect: Connect):
        used = Heard()

        def ask(**_: Any) -> None:
            User.objects.count()
            used.append(connections["default"])

        connect(ask)
        end()
        (theirs,) = list(used)
        assert theirs.connection is None

    def test_those_that_a_site_keeps_open_are_closed_when_the_thread_ends(
        self, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(worker, "IDLE_TIMEOUT", 0.05)
        monkeypatch.setitem(connections["default"].settings_dict, "CONN_MAX_AGE", None)
        used = Heard()

        def ask(**_: Any) -> None:
            User.objects.count()
            used.append((connections["default"], threading.current_thread()))

        connect(ask)
        end()
        ((theirs, thread),) = list(used)
        thread.join(WITHIN)
        assert not thread.is_alive()
        assert theirs.connection is None

    def test_a_thread_ends_when_it_has_nothing_to_do(self, connect: Connect, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(worker, "IDLE_TIMEOUT", 0.05)
        heard = Heard()
        connect(lambda watch_id, **_: heard.append(watch_id))
        before = set(threads())
        end("w1")
        assert heard == ["w1"]
        for thread in set(threads()) - before:
            thread.join(WITHIN)
            assert not thread.is_alive()
        end("w2")
        assert heard == ["w1", "w2"]

    def test_without_one_there_is_no_thread(self):
        before = set(threads())
        end()
        assert set(threads()) <= before

    def test_they_are_connected_and_disconnected_as_those_of_any_signal(self, connect: Connect):
        class Receiver:
            def hear(self, watch_id: str, **_: Any) -> None:
                heard.append(watch_id)

        heard, one, two = Heard(), Receiver(), Receiver()
        session_ended.connect(one.hear)
        session_ended.connect(one.hear)
        session_ended.connect(two.hear, sender=User)
        connect(lambda **_: heard.append("once"), dispatch_uid="once")
        connect(lambda **_: heard.append("twice"), dispatch_uid="once")
        end("w1")
        assert sorted(heard) == ["once", "w1"]
        assert session_ended.disconnect(dispatch_uid="once")
        gone = weakref.ref(one)
        del one
        while gone() is not None:
            # The thread has done its work, and is about to let go of it.
            time.sleep(0.01)
        end("w2")
        assert sorted(heard) == ["once", "w1"]


@pytest.mark.django_db(transaction=True)
class TestWhatIsAnnounced:
    @pytest.fixture
    def told(self, connect: Connect) -> Heard:
        """Each signal, with its arguments."""
        heard = Heard()

        def hear(signal: Any, sender: Any, **told: Any) -> None:
            heard.append((signal.name, told))

        for signal in SIGNALS:
            connect(hear, signal)
        return heard

    @pytest.fixture
    def timer(self) -> Timer:
        timer = Timer(current_process(), Hub(current_process()))
        timer.membership.owns_store = True
        return timer

    def test_nothing_of_what_is_rolled_back(self, told: Heard):
        with transaction.atomic():
            announce.opened(keep("w1"))
            end()
            transaction.set_rollback(True)
        assert told == []
        with transaction.atomic():
            end()
            assert told == []
        assert [name for name, _ in told] == ["session_ended"]

    async def test_a_warning_once_whichever_timer_settles_it(self, told: Heard, timer: Timer):
        keep("w1")
        other = Timer(current_process(), Hub(current_process()))
        other.membership.owns_store = True
        await asyncio.gather(timer.push(START + 80), other.push(START + 80))
        await timer.push(START + 81)
        assert told == [
            (
                "session_warned",
                {
                    "watch_id": "w1",
                    "user": "1",
                    "reason": Reason.IDLE,
                    "ends_at": START + 100,
                    "remaining": 20.0,
                    "at": START + 80,
                },
            )
        ]

    async def test_that_a_warned_session_goes_on(self, told: Heard, timer: Timer):
        keep("w1")
        await timer.push(START + 80)
        told.clear()
        monitor.store().sessions.apply("w1", Extended(), START + 85)
        await timer.push(START + 85)
        await timer.push(START + 86)
        assert told == [("session_extended", {"watch_id": "w1", "user": "1", "at": START + 85})]

    async def test_not_that_an_active_one_goes_on(self, told: Heard, timer: Timer):
        keep("w1")
        monitor.store().sessions.apply("w1", Extended(), START + 50)
        await timer.push(START + 90)
        assert told == []

    async def test_a_second_warning_where_another_limit_is_near_by_now(self, told: Heard, timer: Timer):
        counted = metrics.WARNINGS._value.get()
        keep("w1", absolute_timeout=95.0, idle_timeout=90.0)
        await timer.push(START + 70)
        monitor.store().sessions.apply("w1", Extended(), START + 80)
        await timer.push(START + 80)
        assert [(name, about["reason"]) for name, about in told] == [
            ("session_warned", Reason.IDLE),
            ("session_warned", Reason.ABSOLUTE),
        ]
        # The user saw one warning, which goes on.
        assert metrics.WARNINGS._value.get() == counted + 1

    async def test_who_ended_a_session(self, told: Heard):
        @sync_to_async
        def revoke() -> User:
            (watched,) = sign_in_many(1)
            operator = User.objects.create_user("operator")
            monitor.end(watched.id, Reason.REVOKED, START + 1, operator)
            return operator

        operator = await revoke()
        ((name, about),) = list(told)
        assert (name, about["reason"], about["by"]) == ("session_ended", Reason.REVOKED, operator)


@pytest.mark.django_db(transaction=True)
class TestGoingAway:
    async def test_a_process_gives_what_waits_its_time(self, connect: Connect):
        heard: list[str] = []

        def hear(watch_id: str, **_: Any) -> None:
            time.sleep(0.2)
            heard.append(watch_id)

        connect(hear)
        await sync_to_async(end)()
        await Runtime(current_process()).stop()
        assert heard == ["w1"]

    @pytest.mark.usefixtures("hung")
    async def test_but_no_more_than_that_and_once_for_all_its_parts(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(dispatcher, "DRAIN_TIMEOUT", 0.3)
        await sync_to_async(end)()
        async with asyncio.timeout(10):
            await Runtime(current_process()).stop()
        stopped_at = time.monotonic()
        dispatcher._drop_rest()
        assert time.monotonic() - stopped_at < 0.2

    def test_where_no_thread_starts_any_more_the_log_says_what_is_missed(
        self, connect: Connect, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ):
        before = failures("session_ended", "dropped")
        connect(lambda **_: None)
        with monkeypatch.context() as patch:
            patch.setattr(dispatcher, "Thread", Mock(side_effect=RuntimeError))
            end()
        (line,) = errors(caplog)
        assert line.endswith("missed 1 events: the process shuts down.")
        assert failures("session_ended", "dropped") == before + 1

    def test_what_every_process_of_the_interpreter_leaves_is_logged(
        self, hung: threading.Event, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(dispatcher, "DRAIN_TIMEOUT", 1.0)
        processes = [Process(), Process()]
        for process in processes:
            with process.entered():
                dispatcher.send(session_ended)
        assert hung.wait(WITHIN)
        started_at = time.monotonic()
        dispatcher._drop_rest()
        assert time.monotonic() - started_at < 1.8
        assert [line.endswith("missed 1 events: the process shuts down.") for line in errors(caplog)] == [True, True]

    def test_an_interpreter_that_called_no_receiver_makes_no_process_when_it_ends(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        made = Mock()
        monkeypatch.setattr(process_module, "_make_default", made)
        monkeypatch.setattr(process_module, "_default", None)
        dispatcher._drop_rest()
        assert not made.called

    @pytest.mark.parametrize(("takes", "told", "left"), [("0.1", 2, 0), ("60", 0, 2)])
    def test_so_does_a_command_and_says_what_is_left(self, takes: str, told: int, left: int):
        program = f"""
import threading, time, django; django.setup()
from idlewatch import metrics, signals
from idlewatch.signals import dispatcher
dispatcher.DRAIN_TIMEOUT = 1.0
def hear(**_): time.sleep({takes}); print("told", flush=True)
def quick(**_): print("quick", flush=True)
def count():
    dropped = metrics.RECEIVER_FAILURES.labels("session_ended", metrics.DROPPED)
    print(f"dropped {{dropped._value.get():g}}")
# The last to be called.
threading._threading_atexits.insert(0, count)
for receiver in (hear, quick):
    signals.session_ended.connect(receiver)
for _ in range(2):
    dispatcher.send(signals.session_ended)
"""
        environ = clean_environment(DJANGO_SETTINGS_MODULE="tests.support.settings")
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=environ,
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        said = done.stdout.splitlines()
        assert (said.count("told"), said.count("quick"), said[-1]) == (told, 2, f"dropped {left}")
        lines = [f"The receiver __main__.hear missed {left} events: the process shuts down."] if left else []
        assert done.stderr.splitlines() == lines
        assert time.monotonic() - started < 25

    @pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
    @pytest.mark.usefixtures("hung")
    def test_a_fork_has_a_dispatcher_of_its_own(self):
        end()
        parents = current_process().part(dispatcher.Dispatcher)
        assert parents._workers
        with parents._lock:
            child = os.fork()
            if child == 0:
                # With the lock of the parent, which no thread here holds, this would hang.
                is_free = (
                    not dispatcher._dispatchers
                    and dispatcher.wait(0)
                    and not current_process().part(dispatcher.Dispatcher)._workers
                )
                os._exit(0 if is_free else 1)
        assert os.waitpid(child, 0)[1] == 0
