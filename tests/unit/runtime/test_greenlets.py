from __future__ import annotations

import _thread
import asyncio
from collections.abc import Iterator
from typing import Any

import greenlet
import pytest

from idlewatch.runtime.greenlets import separate_event_loops


@pytest.fixture
def patched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What gevent puts in the place of starting a thread: a function of its own. Undone afterwards, as the trace is."""
    earlier = greenlet.gettrace()

    def start_new_thread(*_: Any) -> None:
        raise AssertionError("no thread is to be started")

    monkeypatch.setattr(_thread, "start_new_thread", start_new_thread)
    yield
    greenlet.settrace(earlier)


@pytest.mark.usefixtures("patched")
def test_greenlets_that_take_turns_in_one_thread_have_an_event_loop_each():
    """As the timer's greenlet, that of a request, and that of another request's async view do."""
    seen: list[object] = []
    main = greenlet.getcurrent()

    def serve() -> None:
        async def work() -> None:
            before = asyncio.get_running_loop()
            main.switch()
            seen.append(asyncio.get_running_loop() is before)

        asyncio.run(work())

    traced: list[str] = []
    greenlet.settrace(lambda event, _: traced.append(event))
    separate_event_loops()
    separate_event_loops()
    servers = [greenlet.greenlet(serve) for _ in range(2)]
    for server in servers:
        # A second event loop could not be run beside the first.
        server.switch()
        assert asyncio._get_running_loop() is None
    for server in servers:
        server.switch()
        assert asyncio._get_running_loop() is None
    assert seen == [True, True]
    assert len(traced) == 8, "what traced the switches before still does"


@pytest.mark.usefixtures("patched")
@pytest.mark.parametrize("is_traced", [False, True])
def test_an_event_loop_stays_with_its_greenlet_whether_switches_were_traced_before_or_not(is_traced: bool):
    """By the tracer itself: inside a switch, nothing can measure it."""
    traced: list[str] = []
    greenlet.settrace((lambda event, _: traced.append(event)) if is_traced else None)
    separate_event_loops()
    follow = greenlet.gettrace()
    greenlet.settrace(None)
    server, other, loop = greenlet.greenlet(), greenlet.greenlet(), asyncio.new_event_loop()
    try:
        follow("switch", (other, server))
        assert asyncio._get_running_loop() is None
        asyncio._set_running_loop(loop)
        follow("switch", (server, other))
        assert asyncio._get_running_loop() is None
        follow("throw", (other, server))
        assert asyncio._get_running_loop() is loop
    finally:
        asyncio._set_running_loop(None)
        loop.close()
    assert traced == (["switch", "switch", "throw"] if is_traced else [])


def test_true_threads_are_left_alone():
    earlier = greenlet.gettrace()
    separate_event_loops()
    assert greenlet.gettrace() is earlier
