"""The receivers of signals in tests."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from idlewatch import metrics
from idlewatch.process import Process
from idlewatch.signals.delivery import Delivery
from idlewatch.signals.dispatcher import Dispatcher

logger = logging.getLogger("idlewatch")


class DirectDispatcher(Dispatcher):
    """Calls receivers in the thread that sends: another thread would see nothing of the test's transaction.

    In the thread of an event loop they could not use the database. What is sent there waits for `wait`.
    """

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self._waiting: deque[Delivery] = deque()

    def wait(self, timeout: float) -> bool:
        """Call the receivers that wait; return True. They take as long as they need, whatever `timeout` is."""
        while self._waiting:
            _run(self._waiting.popleft())
        return super().wait(timeout)

    def _put(self, delivery: Delivery) -> None:
        if _runs_loop():
            self._waiting.append(delivery)
        else:
            _run(delivery)


def _run(delivery: Delivery) -> None:
    try:
        delivery.run()
    except Exception:
        logger.exception("The receiver %s of %s failed.", delivery.name, delivery.signal.name)
        delivery.count_failure(metrics.RAISED)


def _runs_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
