"""Calls the receivers of the signals: one daemon thread and one bounded queue for each receiver that has work.

A receiver that raises or is slow delays neither the timer, nor a request, nor another receiver.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Hashable
from threading import Lock, Thread
from typing import Any
from weakref import WeakSet

from idlewatch.models import WatchedSession
from idlewatch.process import Process, current_process
from idlewatch.signals.definitions import SessionSignal
from idlewatch.signals.delivery import Delivery
from idlewatch.signals.worker import Worker

DRAIN_TIMEOUT = 3.0
"""Seconds that a process gives the queued calls when it shuts down."""


def send(signal: SessionSignal, **arguments: Any) -> None:
    """Queue a call of every receiver of a signal."""
    if signal.receivers:
        current_process().part(Dispatcher).send(signal, **arguments)


def wait(timeout: float) -> bool:
    """Wait up to `timeout` seconds until every queued call is done; return whether it is."""
    return current_process().part(Dispatcher).wait(timeout)


class Dispatcher:
    """Calls the receivers of one process. Thread-safe."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._lock = Lock()
        self._workers: dict[Hashable, Worker] = {}
        self._drain_until = float("inf")
        _dispatchers.add(self)

    def send(self, signal: SessionSignal, **arguments: Any) -> None:
        """Queue a call of every receiver of a signal."""
        # As `send_robust` finds them: weak references, senders and `dispatch_uid` are Django's affair.
        plain, coroutines = signal._live_receivers(WatchedSession)
        for is_async, receivers in ((False, plain), (True, coroutines)):
            for receiver in receivers:
                self._put(Delivery(signal, receiver, is_async, arguments))

    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds until every queued call is done; return whether it is."""
        deadline = time.monotonic() + timeout
        with self._lock:
            workers = list(self._workers.values())
        return all(worker.wait(deadline - time.monotonic()) for worker in workers)

    def drain(self) -> bool:
        """Wait for the queued calls when the process shuts down; return whether all are done."""
        self._drain_until = time.monotonic() + DRAIN_TIMEOUT
        return self.wait(DRAIN_TIMEOUT)

    def drop_rest(self, until: float) -> None:
        """Wait for the queued calls until then, or as long as `drain` left time for it; then log those that are lost.

        `until` is a reading of `time.monotonic`.
        """
        if not self.wait(min(until, self._drain_until) - time.monotonic()):
            with self._lock:
                for worker in self._workers.values():
                    worker.drop_rest()

    def report_slow(self) -> None:
        """Log the receivers that are slow right now; the timer calls this once a second."""
        with self._lock:
            for worker in self._workers.values():
                worker.report_slow()

    def _put(self, delivery: Delivery) -> None:
        with self._lock:
            worker = self._workers.get(delivery.key)
            if worker is None:
                worker = Worker(self._lock, self._process.clock, self._retire)
                # A context of its own: that of a request would outlive the request.
                run = self._process.context().run
                try:
                    Thread(target=run, args=(worker.work,), name="idlewatch-signals", daemon=True).start()
                except RuntimeError:
                    # The interpreter shuts down, and starts no more threads.
                    worker.put(delivery)
                    worker.drop_rest()
                    return
                self._workers[delivery.key] = worker
            worker.put(delivery)

    def _retire(self, worker: Worker) -> bool:
        """Remove a worker that has nothing to do; return whether it has."""
        with self._lock:
            if is_idle := worker.queue.empty():
                self._workers = {key: each for key, each in self._workers.items() if each is not worker}
        return is_idle


_dispatchers: WeakSet[Dispatcher] = WeakSet()
"""Those of every process in this interpreter."""

if hasattr(os, "register_at_fork"):
    # A fork has none of the parent's threads, and may have its locks held.
    os.register_at_fork(after_in_child=_dispatchers.clear)


def _drop_rest() -> None:
    """Give the queued calls of all processes together the time of one, then log those that are lost."""
    until = time.monotonic() + DRAIN_TIMEOUT
    for dispatcher in list(_dispatchers):
        dispatcher.drop_rest(until)


# What is registered with `atexit` comes too late: by then executors take no more work.
threading._register_atexit(_drop_rest)  # type: ignore[attr-defined]
