from __future__ import annotations

import logging
from threading import Event, Lock, Thread
from typing import Any
from unittest.mock import MagicMock

import pytest

from idlewatch.core.clock import Clock
from idlewatch.process import current_process
from idlewatch.signals import session_ended, worker
from idlewatch.signals.delivery import Delivery
from idlewatch.signals.dispatcher import Dispatcher
from idlewatch.signals.worker import Worker
from tests.support.announced import WITHIN


def test_a_call_that_is_about_to_begin_is_lost_with_the_rest(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(worker, "IDLE_TIMEOUT", 0.01)
    called: list[str] = []

    def hear(watch_id: str, **_: Any) -> None:
        called.append(watch_id)

    # A lock that notes when a thread is about to take it.
    lock, wanted, watched = Lock(), Event(), MagicMock()
    watched.__enter__.side_effect = lambda: (wanted.set(), lock.acquire())
    watched.__exit__.side_effect = lambda *_: lock.release()
    queued = Worker(watched, Clock(), lambda _: True)
    thread = Thread(target=queued.work, daemon=True)
    with lock:
        for watch_id in ("w1", "w2"):
            queued.put(Delivery(session_ended, hear, False, {"watch_id": watch_id}))
        thread.start()
        assert wanted.wait(WITHIN)
        queued.drop_rest()
    thread.join(WITHIN)
    assert not thread.is_alive()
    assert called == []
    assert queued.wait(0)
    (line,) = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert line.endswith("missed 2 events: the process shuts down.")


def test_with_nothing_queued_nothing_is_reported_as_lost(caplog: pytest.LogCaptureFixture):
    Worker(Lock(), Clock(), lambda _: True).drop_rest()
    assert caplog.records == []


def test_a_worker_that_got_a_call_just_before_it_retired_goes_on():
    dispatcher = Dispatcher(current_process())
    busy = Worker(Lock(), Clock(), dispatcher._retire)
    delivery = Delivery(session_ended, print, False, {})
    dispatcher._workers[delivery.key] = busy
    busy.put(delivery)
    assert not dispatcher._retire(busy)
    assert dispatcher._workers == {delivery.key: busy}
    busy.drop_rest()
    assert dispatcher._retire(busy)
    assert dispatcher._workers == {}
