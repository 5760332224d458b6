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
from idlewatch.monitor import stores
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
    return [line for line in caplog.messages if "takes over" in line]


def end(watch_id: str = "w1", by: User | None = None) -> None:
    """Announce an end."""
    announce.ended(keep(watch_id), Reason.IDLE, START, by)


def failures(signal: str, why: str) -> float:
    return metrics.RECEIVER_FAILURES.labels(signal, why)._value.get()  # type: ignore[no-any-return]


def threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "idlewatch-signals"]


@pytest.mark.django_db(transaction=True)
class TestReceivers:
    def test_one_is_called_in_a_thread_and_a_context_of_its_own_with_what_is_documented(self, connect: Connect):
        heard, held = Heard(), ContextVar("held", default="nothing")
        connect(lambda **told: heard.append((threading.current_thread(), held.get(), told)))
        token = held.set("something of the request")
        end()
        held.reset(token)
        ((thread, seen, told),) = list(heard)
        assert thread is not threading.current_thread()
        assert seen == "nothing"
        assert told.pop("signal") is session_ended
        assert told.pop("sender") is WatchedSession
        assert told == {"watch_id": "w1", "user": "1", "reason": Reason.IDLE, "at": START, "by": None}

    def test_each_is_called_in_the_order_in_which_things_happened(self, connect: Connect):
        heard = Heard()

        class Receiver:
            """Its method is another object each time."""

            def hear(self, signal: Any, watch_id: str, **_: Any) -> None:
                if watch_id == "w0":
                    time.sleep(0.01)
                heard.append((signal.name, watch_id, threading.get_ident()))

        receiver = Receiver()
        connect(receiver.hear, session_opened)
        connect(receiver.hear, session_ended)
        for number in range(20):
            announce.opened(keep(f"w{number}"))
            end(f"w{number}")
        told = [(name, f"w{number}") for number in range(20) for name in ("session_opened", "session_ended")]
        assert [(name, watch_id) for name, watch_id, _ in heard] == told
        assert len({thread for _, _, thread in heard}) == 1

    def test_one_that_raises_is_logged_by_its_name_and_stops_no_other(
        self, connect: Connect, caplog: pytest.LogCaptureFixture
    ):
        heard, before = Heard(), failures("session_ended", "raised")

        def broken(**_: Any) -> None:
            raise SystemExit("broken")

        connect(partial(broken, site="shop"))
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
        others = [threading.Event(), threading.Event()]
        connect(lambda watch_id, **_: others[watch_id == "w2"].set())
        end("w1")
        end("w2")
        assert all(other.wait(WITHIN) for other in others)
        assert not dispatcher.wait(0)

    def test_one_that_is_slow_is_logged_once_a_call(
        self, connect: Connect, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(worker, "SLOW_AFTER", 0.0)
        before = failures("session_ended", "slow")
        connect(lambda **_: None)
        end()
        assert dispatcher.wait(WITHIN)
        (line,) = said_slow(caplog)
        assert "takes over 0 s" in line
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

    def test_a_thread_lasts_while_it_has_work_and_closes_what_the_site_keeps_open(
        self, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(worker, "IDLE_TIMEOUT", 0.05)
        monkeypatch.setitem(connections["default"].settings_dict, "CONN_MAX_AGE", None)
        used, before = Heard(), set(threads())
        end()
        assert set(threads()) <= before

        def ask(watch_id: str, **_: Any) -> None:
            User.objects.count()
            used.append((watch_id, connections["default"], threading.current_thread()))

        connect(ask)
        end("w1")
        ((_, theirs, thread),) = list(used)
        thread.join(WITHIN)
        assert not thread.is_alive()
        assert theirs.connection is None
        end("w2")
        assert [watch_id for watch_id, _, _ in used] == ["w1", "w2"]

    def test_they_are_kept_and_let_go_as_those_of_any_signal(self):
        class Receiver:
            def hear(self, watch_id: str, **_: Any) -> None:
                heard.append(watch_id)

        heard, one, other = Heard(), Receiver(), Receiver()
        session_ended.connect(one.hear)
        session_ended.connect(one.hear)
        session_ended.connect(other.hear, sender=User)
        end("w1")
        assert heard == ["w1"]
        gone = weakref.ref(one)
        del one
        while gone() is not None:
            # The thread has done its work, and is about to let go of it.
            time.sleep(0.01)
        end("w2")
        assert heard == ["w1"]


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

    async def test_a_warning_and_that_the_session_goes_on(self, told: Heard, timer: Timer):
        keep("w1")
        sessions = stores.current().sessions
        sessions.apply("w1", Extended(), START)
        await timer.push(START + 79)
        # To an active one it makes no difference.
        assert told == []
        await timer.push(START + 80)
        sessions.apply("w1", Extended(), START + 85)
        await timer.push(START + 85)
        await timer.push(START + 86)
        about: dict[str, Any] = {"watch_id": "w1", "user": "1"}
        until = {"reason": Reason.IDLE, "ends_at": START + 100, "remaining": 20.0, "at": START + 80}
        assert told == [("session_warned", about | until), ("session_extended", about | {"at": START + 85})]

    async def test_a_second_warning_where_another_limit_is_near_by_now(self, told: Heard, timer: Timer):
        counted = metrics.WARNINGS._value.get()
        keep("w1", absolute_timeout=95.0, idle_timeout=90.0)
        await timer.push(START + 70)
        stores.current().sessions.apply("w1", Extended(), START + 80)
        await timer.push(START + 80)
        assert [(name, about["reason"]) for name, about in told] == [
            ("session_warned", Reason.IDLE),
            ("session_warned", Reason.ABSOLUTE),
        ]
        # The user saw one warning, which goes on.
        assert metrics.WARNINGS._value.get() == counted + 1

    async def test_nothing_of_a_probe_but_to_the_log(self, told: Heard, timer: Timer, caplog: pytest.LogCaptureFixture):
        caplog.set_level(logging.INFO, "idlewatch")

        def counted() -> list[float]:
            counters = (metrics.OPENED, metrics.WARNINGS, metrics.EXTENSIONS, metrics.ENDED[Reason.IDLE])
            return [counter._value.get() for counter in counters]

        before = counted()
        for watch_id in ("probe:1", "w1"):
            await sync_to_async(announce.opened)(keep(watch_id))
        await timer.push(START + 80)
        for watch_id in ("probe:1", "w1"):
            stores.current().sessions.apply(watch_id, Extended(), START + 85)
        await timer.push(START + 85)
        for watch_id in ("probe:1", "w1"):
            await sync_to_async(end)(watch_id)
        assert [(name, about["watch_id"]) for name, about in told] == [(signal.name, "w1") for signal in SIGNALS]
        assert [after - earlier for earlier, after in zip(before, counted(), strict=True)] == [1, 1, 1, 1]
        logged = [record.event for record in caplog.records if getattr(record, "probe", False)]  # type: ignore[attr-defined]
        assert logged == [signal.name for signal in SIGNALS]

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
        monkeypatch.setattr(dispatcher, "DRAIN_TIMEOUT", 1.0)
        await sync_to_async(end)()
        async with asyncio.timeout(10):
            await Runtime(current_process()).stop()
        stopped_at = time.monotonic()
        dispatcher._drop_rest()
        assert time.monotonic() - stopped_at < 0.8

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
        monkeypatch.setattr(dispatcher, "DRAIN_TIMEOUT", 2.0)
        processes = [Process(), Process()]
        for process in processes:
            with process.entered():
                dispatcher.send(session_ended)
        assert hung.wait(WITHIN)
        started_at = time.monotonic()
        dispatcher._drop_rest()
        assert time.monotonic() - started_at < 3.5
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
