from __future__ import annotations

import logging
from threading import Event, Lock, Thread
from typing import Any, cast

import pytest

from idlewatch.core.clock import Clock
from idlewatch.signals import session_ended, worker
from idlewatch.signals.delivery import Delivery
from idlewatch.signals.worker import Worker
from tests.support.announced import WITHIN


class WatchedLock:
    """A lock that notes when a thread is about to take it."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.wanted = Event()

    def __enter__(self) -> None:
        self.wanted.set()
        self.lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.lock.release()


def test_a_call_that_is_about_to_begin_is_lost_with_the_rest(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(worker, "IDLE_TIMEOUT", 0.01)
    called: list[str] = []

    def hear(watch_id: str, **_: Any) -> None:
        called.append(watch_id)

    lock = WatchedLock()
    queued = Worker(cast("Lock", lock), Clock(), lambda _: True)
    thread = Thread(target=queued.work, daemon=True)
    with lock.lock:
        for watch_id in ("w1", "w2"):
            queued.put(Delivery(session_ended, hear, False, {"watch_id": watch_id}))
        thread.start()
        assert lock.wanted.wait(WITHIN)
        queued.drop_rest()
    thread.join(WITHIN)
    assert not thread.is_alive()
    assert called == []
    assert queued.wait(0)
    (line,) = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert line.endswith("missed 2 events: the process shuts down.")
