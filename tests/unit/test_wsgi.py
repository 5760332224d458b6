"""Under WSGI there is no event loop: the timer runs in a thread of its own."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.wsgi import get_wsgi_application
from django.test import RequestFactory

from idlewatch import wsgi as wsgi_face
from idlewatch.models import StoreOwner
from idlewatch.process import Process, current_process
from idlewatch.runtime.runtime import running_runtime
from tests.support.http import Browser, record

pytestmark = pytest.mark.usefixtures("site")


@pytest.fixture
def application() -> Iterator[wsgi_face.WatchedApplication]:
    application = wsgi_face.watched(get_wsgi_application())
    yield application
    application.stop()
    assert running_runtime(current_process()) is None


def call(application: Any) -> str:
    statuses: list[str] = []
    list(application(RequestFactory().get("/bare/").environ, lambda status, _: statuses.append(status)))
    return statuses[0]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_first_request_starts_the_timer(application: Any):
    assert running_runtime(current_process()) is None
    assert call(application) == "200 OK"
    until(StoreOwner.objects.exists)


@pytest.mark.rule("R1")
def test_it_records_an_end_without_any_request(ann: User, settings: Any, application: Any):
    settings.IDLEWATCH = {"IDLE_TIMEOUT": 0.6, "WARN_BEFORE": 0.3, "HEARTBEAT": 0.1}
    Browser(is_async=False).sign_in(ann)
    call(application)
    until(lambda: record().ended is not None)
    assert record().reason == "idle"


def test_later_requests_share_the_timer_and_a_stop_without_one_does_nothing(application: Any):
    application.stop()
    call(application)
    until(StoreOwner.objects.exists)
    timer = running_runtime(current_process())
    assert call(application) == "200 OK"
    assert running_runtime(current_process()) is timer


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_of_a_process_that_has_answered_starts_a_timer_of_its_own(monkeypatch: pytest.MonkeyPatch):
    """A server may warm up the application before it forks its workers (`gunicorn --preload`)."""
    started: list[tuple[int, str]] = []
    monkeypatch.setattr(wsgi_face, "_start_timer", lambda process: started.append((os.getpid(), process.name)) or 1)
    application = wsgi_face.WatchedApplication(lambda *_: [], Process("one"))
    fork = get_context("fork")
    received, sent = fork.Pipe(duplex=False)

    def answer_twice() -> None:
        for _ in range(2):
            application({}, None)
        sent.send(started)

    answer_twice()
    (here,) = received.recv()
    child = fork.Process(target=answer_twice)
    child.start()
    (before, there) = received.recv()
    child.join(10)
    assert before == here == (os.getpid(), "one")
    assert there[0] == child.pid
    assert there[1] not in {"one", current_process().name}


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_waits_for_what_the_timers_thread_is_importing(monkeypatch: pytest.MonkeyPatch):
    """It has none of the parent's threads to import the rest of a module."""
    importing, go_on, imported = threading.Event(), threading.Event(), []
    fork = get_context("fork")
    received, sent = fork.Pipe(duplex=False)

    async def serve(timer: Any) -> None:
        importing.set()
        go_on.wait(10)
        imported.append("module")
        await timer._stopped.wait()

    monkeypatch.setattr(wsgi_face._TimerThread, "_serve", serve)
    timer = wsgi_face._start_timer(current_process())
    assert importing.wait(10)
    threading.Timer(0.05, go_on.set).start()
    child = fork.Process(target=lambda: sent.send(imported))
    child.start()
    assert received.recv() == ["module"]
    child.join(10)
    timer.close()
    assert not timer.is_alive()
