"""Two processes in one interpreter, over one Redis: each with a name, a store, a hub, a bus and a timer of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from idlewatch.models import WatchedSession
from idlewatch.process import Lane, Process, current_process, in_thread
from idlewatch.runtime.runtime import running_runtime, runtime_of
from idlewatch.signals import session_ended
from tests.support.sockets import Signed, Tab, sign_in

pytestmark = pytest.mark.django_db(transaction=True)

WITHIN = 20.0


@pytest.fixture
async def processes(on_redis: None, settings: Any) -> AsyncIterator[tuple[Process, Process]]:
    settings.IDLEWATCH = {**settings.IDLEWATCH, "IDLE_TIMEOUT": 6, "WARN_BEFORE": 2, "HEARTBEAT": 0.5}
    one, two = Process("one"), Process("two")
    for process in (one, two):
        runtime_of(process).start()
    await until(lambda: all(runtime_of(process).timer.owns_store for process in (one, two)))
    await until(lambda: all(runtime_of(process).bus.channel for process in (one, two)))
    yield one, two
    for process in (one, two):
        await runtime_of(process).stop()
        process.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN):
        while not condition():  # noqa: ASYNC110 - it may become true in another thread
            await asyncio.sleep(0.01)


async def opened(process: Process, signed: Signed) -> Tab:
    with process.entered():
        return await Tab.open(signed)


async def frames(tab: Tab) -> list[tuple[str, str | None]]:
    """Return what a tab is told until its socket is closed."""
    told = []
    while (message := await tab.socket.receive_output(WITHIN))["type"] != "websocket.close":
        frame = json.loads(message["text"])
        told.append((frame["phase"], frame["reason"]))
    return told


async def test_nothing_of_one_is_the_others_or_the_defaults(processes: tuple[Process, Process]):
    one, two = processes
    assert running_runtime(one) is not running_runtime(two)
    assert running_runtime(current_process()) is None
    assert runtime_of(one).hub is not runtime_of(two).hub


async def test_activity_in_one_shows_in_the_other(processes: tuple[Process, Process]):
    one, two = processes
    with one.entered():
        signed = await sign_in()
    here, there = await opened(one, signed), await opened(two, signed)
    await asyncio.sleep(1)
    await here.ask("extend")
    assert (await there.sync())["remaining"] > 5.3
    with two.entered():
        assert (await in_thread(Lane.DATABASE, lambda: signed.watched)).activity.tabs == {"one": 1, "two": 1}
    for tab in (here, there):
        await tab.leave()


async def test_a_warning_and_the_end_reach_the_tabs_of_both_once(processes: tuple[Process, Process]):
    one, two = processes
    ended: list[str] = []

    def note(watch_id: str, **_: Any) -> None:
        ended.append(watch_id)

    session_ended.connect(note)
    with one.entered():
        signed = await sign_in()
    tabs = [await opened(process, signed) for process in (one, two, two)]
    try:
        told = await asyncio.gather(*map(frames, tabs))
    finally:
        for tab in tabs:
            await tab.leave()
    assert told == [[("warned", "idle"), ("ended", "idle")]] * 3
    # The record is written, and announced, after the tabs were told.
    await until(lambda: ended == [signed.watch_id])
    record = await WatchedSession.objects.aget(pk=signed.watch_id)
    assert (record.warnings, record.reason) == (1, "idle")
