"""Call the receivers of the signals, each in a thread of its own that there is while it has work.

One that raises or is slow stops neither the timer, nor a request, nor another receiver.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from functools import partial
from threading import Condition, Lock, Thread
from typing import Any, NamedTuple

from asgiref.sync import async_to_sync
from django.db import close_old_connections, connections

from idlewatch import metrics
from idlewatch.models import WatchedSession
from idlewatch.process import Process, current_process
from idlewatch.signals.definitions import SessionSignal, session_ended, session_extended, session_opened, session_warned

logger = logging.getLogger("idlewatch")

MOST = 10_000
"""Announcements that wait for one receiver; what comes then, it is not told."""
SLOW = 5.0
"""Seconds after which a receiver is taken for slow."""
REST = 10.0
"""Seconds without work after which a thread ends."""
DRAIN_TIMEOUT = 3.0
"""Seconds that a process which goes away gives to what still waits."""
FAILURES = {
    (signal.name, why): metrics.RECEIVER_FAILURES.labels(signal.name, why)
    for signal in (session_opened, session_warned, session_extended, session_ended)
    for why in (metrics.RAISED, metrics.SLOW, metrics.DROPPED)
}
"""Each is shown from the start, at 0: Prometheus sees no increase in what begins with 1."""


def send(signal: SessionSignal, **told: Any) -> None:
    """Have every receiver of a signal called, later."""
    current_process().part(Dispatcher).send(signal, **told)


def wait(timeout: float) -> bool:
    """Wait until every receiver has been told everything, for so many seconds at most; return whether it has."""
    return current_process().part(Dispatcher).wait(timeout)


class Dispatcher:
    """Calls the receivers of one process. Thread-safe."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.lock = Lock()
        self.workers: dict[Hashable, _Worker] = {}
        self._leaves_by = float("inf")

    def send(self, signal: SessionSignal, **told: Any) -> None:
        """Have every receiver of a signal called, later."""
        # As `send_robust` finds them: weak references, senders and `dispatch_uid` are Django's affair.
        plain, coroutines = signal._live_receivers(WatchedSession)
        for is_async, receivers in ((False, plain), (True, coroutines)):
            for receiver in receivers:
                self._hand(_Delivery(signal, receiver, is_async, told))

    def wait(self, timeout: float) -> bool:
        """Wait until every receiver has been told everything, for so many seconds at most; return whether it has."""
        deadline = time.monotonic() + timeout
        with self.lock:
            workers = list(self.workers.values())
        return all(worker.wait(deadline - time.monotonic()) for worker in workers)

    def drain(self) -> bool:
        """Give what still waits its time, for the process goes away; return whether every receiver has been told."""
        self._leaves_by = time.monotonic() + DRAIN_TIMEOUT
        return self.wait(DRAIN_TIMEOUT)

    def report_slow(self) -> None:
        """Log the receivers that take too long now; the timer has it done once a second."""
        with self.lock:
            for worker in self.workers.values():
                worker.look_at_the_clock()

    def take_leave(self) -> None:
        """Give what still waits the rest of its time, and log what is lost: the interpreter goes away."""
        if not self.wait(min(DRAIN_TIMEOUT, self._leaves_by - time.monotonic())):
            with self.lock:
                for worker in self.workers.values():
                    worker.give_up()

    def _hand(self, delivery: _Delivery) -> None:
        key = _key(delivery.receiver)
        with self.lock:
            worker = self.workers.get(key)
            if worker is None:
                worker = self.workers[key] = _Worker(self, key)
            worker.take(delivery)


class _Delivery(NamedTuple):
    """One call of one receiver."""

    signal: SessionSignal
    receiver: Callable[..., Any]
    is_async: bool
    told: dict[str, Any]

    def run(self) -> None:
        call = async_to_sync(self.receiver) if self.is_async else self.receiver
        call(signal=self.signal, sender=WatchedSession, **self.told)

    @property
    def name(self) -> str:
        """What the log calls the receiver: never what it was told."""
        receiver = self.receiver.func if isinstance(self.receiver, partial) else self.receiver
        named = receiver if hasattr(receiver, "__qualname__") else type(receiver)
        return f"{named.__module__}.{named.__qualname__}"

    def failed(self, why: str) -> None:
        FAILURES[self.signal.name, why].inc()


def _key(receiver: Any) -> Hashable:  # noqa: ANN401 - whatever can be called
    """Tell receivers apart as Django does: a bound method is another object each time."""
    function = getattr(receiver, "__func__", None)
    return id(receiver) if function is None else (id(receiver.__self__), id(function))


class _Worker:
    """Calls one receiver, in the order in which things happened."""

    def __init__(self, dispatcher: Dispatcher, key: Hashable) -> None:
        self._dispatcher = dispatcher
        self._ticks = dispatcher.process.clock.ticks
        self._key = key
        self._waiting: deque[_Delivery] = deque()
        self._changed = Condition(dispatcher.lock)
        self._runs = False
        self._present: _Delivery | None = None
        self._since = 0.0
        self._is_told_slow = False
        self._dropped = 0

    def take(self, delivery: _Delivery) -> None:
        """Have the receiver told, later. The lock is held."""
        self.look_at_the_clock()
        if len(self._waiting) >= MOST:
            self._drop(delivery)
            return
        self._tell_dropped(delivery)
        self._waiting.append(delivery)
        if self._runs:
            self._changed.notify_all()
            return
        try:
            # A context of its own: that of a request would live on in what is none of its business.
            context = self._dispatcher.process.context()
            Thread(target=context.run, args=(self._work,), name="idlewatch-signals", daemon=True).start()
            self._runs = True
        except RuntimeError:
            # The interpreter is going away, and starts no thread any more.
            self._waiting.clear()
            self._drop(delivery)

    def wait(self, timeout: float) -> bool:
        """Wait until the receiver has been told everything."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and self._present is None, max(timeout, 0.0))

    def give_up(self) -> None:
        """Drop what waits, and count what is under way as lost too: nobody knows how far it gets. The lock is held."""
        left = [*self._waiting] if self._present is None else [self._present, *self._waiting]
        self._waiting.clear()
        for delivery in left:
            delivery.failed(metrics.DROPPED)
        if left:
            count = len(left) + self._dropped
            logger.error("The receiver %s is not done with %d events: the process goes away.", left[0].name, count)

    def _drop(self, delivery: _Delivery) -> None:
        if not self._dropped:
            logger.error("The receiver %s has fallen behind: it misses %s.", delivery.name, delivery.signal.name)
        self._dropped += 1
        delivery.failed(metrics.DROPPED)

    def _tell_dropped(self, delivery: _Delivery) -> None:
        """Say how much the receiver missed, once there is room again, or nothing more to do."""
        if self._dropped:
            logger.error("The receiver %s was not told of %d events.", delivery.name, self._dropped)
            self._dropped = 0

    def look_at_the_clock(self) -> None:
        """Log the receiver if it is slow: also one that never comes back. The lock is held."""
        present = self._present
        if present is not None and not self._is_told_slow and self._ticks() - self._since > SLOW:
            self._is_told_slow = True
            logger.warning("The receiver %s of %s takes over %g s.", present.name, present.signal.name, SLOW)
            present.failed(metrics.SLOW)

    def _work(self) -> None:
        # In a frame of its own each: an idle thread must not keep a receiver that nobody else does.
        while self._run_next():
            pass
        connections.close_all()

    def _run_next(self) -> bool:
        delivery = self._next()
        if delivery is None:
            return False
        close_old_connections()
        try:
            delivery.run()
        except BaseException:
            # Whatever it is, the next is to be told.
            logger.exception("The receiver %s of %s failed.", delivery.name, delivery.signal.name)
            delivery.failed(metrics.RAISED)
        close_old_connections()
        self._done()
        return True

    def _next(self) -> _Delivery | None:
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._waiting), REST):
                self._runs = False
                del self._dispatcher.workers[self._key]
                return None
            self._present = self._waiting.popleft()
            self._since, self._is_told_slow = self._ticks(), False
            return self._present

    def _done(self) -> None:
        with self._changed:
            self.look_at_the_clock()
            if self._present is not None and not self._waiting:
                self._tell_dropped(self._present)
            self._present = None
            self._changed.notify_all()


def _take_leave() -> None:
    current_process().part(Dispatcher).take_leave()


# What is registered with `atexit` comes too late: by then no executor takes work any more.
threading._register_atexit(_take_leave)  # type: ignore[attr-defined]
