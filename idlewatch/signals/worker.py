"""The thread and the queue of one receiver."""

from __future__ import annotations

import logging
from collections.abc import Callable
from queue import Queue
from threading import Lock

from django.db import close_old_connections, connections

from idlewatch import metrics
from idlewatch.core.clock import Clock
from idlewatch.signals.delivery import Delivery

logger = logging.getLogger("idlewatch")

QUEUE_SIZE = 10_000
"""Events that wait for one receiver; those beyond are dropped."""
SLOW_AFTER = 5.0
"""Seconds after which a call is reported as slow."""
IDLE_TIMEOUT = 10.0
"""Seconds without work after which a thread ends."""


class Worker:
    """Calls one receiver, in the order of events. All but `wait` and `work` need the dispatcher's lock."""

    def __init__(self, lock: Lock, clock: Clock, retire: Callable[[Worker], bool]) -> None:
        self.queue: Queue[Delivery] = Queue(QUEUE_SIZE)
        self._lock = lock
        self._clock = clock
        self._retire = retire
        self._current: Delivery | None = None
        self._started_at = 0.0
        self._is_slow = False
        self._dropped = 0

    def put(self, delivery: Delivery) -> None:
        """Queue a call, or drop it if the receiver has fallen too far behind."""
        self.report_slow()
        # No thread adds to the queue without the lock, so there is room if there was.
        if not self.queue.full():
            self._report_dropped(delivery)
            self.queue.put_nowait(delivery)
            return
        if not self._dropped:
            logger.error("The queue of receiver %s is full: %s is dropped.", delivery.name, delivery.signal.name)
        self._dropped += 1
        delivery.count_failure(metrics.DROPPED)

    def wait(self, timeout: float) -> bool:
        """Wait until every queued call is done; return whether it is."""
        done = self.queue.all_tasks_done
        with done:
            return done.wait_for(lambda: not self.queue.unfinished_tasks, max(timeout, 0.0))

    def report_slow(self) -> None:
        """Log the receiver, once a call, if it is slow: also one that never returns."""
        current = self._current
        if current is not None and not self._is_slow and self._clock.ticks() - self._started_at > SLOW_AFTER:
            self._is_slow = True
            logger.warning("The receiver %s of %s takes over %g s.", current.name, current.signal.name, SLOW_AFTER)
            current.count_failure(metrics.SLOW)

    def drop_rest(self) -> None:
        """Drop the queued calls, and count the current one as lost too: it may not get to its end."""
        lost = [] if self._current is None else [self._current]
        while not self.queue.empty():
            lost.append(self.queue.get_nowait())
            self.queue.task_done()
        for delivery in lost:
            delivery.count_failure(metrics.DROPPED)
        if lost:
            count = len(lost) + self._dropped
            logger.error("The receiver %s missed %d events: the process shuts down.", lost[0].name, count)

    def work(self) -> None:
        """Call the receiver until there is nothing to do for `IDLE_TIMEOUT`."""
        # In a frame of its own each: an idle thread must not keep a receiver alive.
        while self._run_next():
            pass
        connections.close_all()

    def _run_next(self) -> bool:
        with self.queue.not_empty:
            has_work = self.queue.not_empty.wait_for(lambda: bool(self.queue.queue), IDLE_TIMEOUT)
        if not has_work:
            return not self._retire(self)
        # Under the lock, so that each call is at any time either queued or the current one.
        with self._lock:
            if self.queue.empty():
                # The rest was dropped meanwhile.
                return True
            delivery = self.queue.get_nowait()
            self._current, self._started_at, self._is_slow = delivery, self._clock.ticks(), False
        close_old_connections()
        try:
            delivery.run()
        except BaseException:
            # Also `SystemExit`: the next event is to be delivered.
            logger.exception("The receiver %s of %s failed.", delivery.name, delivery.signal.name)
            delivery.count_failure(metrics.RAISED)
        close_old_connections()
        with self._lock:
            self.report_slow()
            if self.queue.empty():
                self._report_dropped(delivery)
            self._current = None
        self.queue.task_done()
        return True

    def _report_dropped(self, delivery: Delivery) -> None:
        if self._dropped:
            logger.error("The receiver %s missed %d events.", delivery.name, self._dropped)
            self._dropped = 0
