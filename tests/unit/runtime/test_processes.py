"""Two processes in one interpreter, over one Redis: each with a name, a store, a hub, a bus and a timer of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from idlewatch.core.activity import Reason
from idlewatch.core.protocol import Close
from idlewatch.monitor import service as monitor
from idlewatch.process import Lane, Process, current_process, in_thread, now
from idlewatch.runtime.runtime import running_runtime, runtime_of
from idlewatch.signals import session_ended
from tests.support.announced import Heard
from tests.support.sockets import Tab, sign_in, until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def processes(on_redis: None) -> AsyncIterator[tuple[Process, Process]]:
    one, two = Process("one"), Process("two")
    runtimes = [runtime_of(process) for process in (one, two)]
    for runtime in runtimes:
        runtime.start()
    await until(lambda: all(runtime.timer.owns_store and runtime.bus.channel for runtime in runtimes))
    yield one, two
    for process in (one, two):
        await runtime_of(process).stop()
        process.close()


async def test_they_share_the_sessions_and_nothing_else(processes: tuple[Process, Process]):
    one, two = processes
    assert running_runtime(one) is not running_runtime(two)
    assert running_runtime(current_process()) is None
    assert runtime_of(one).hub is not runtime_of(two).hub
    ended, tabs = Heard(), []

    def note(watch_id: str, **_: object) -> None:
        ended.append(watch_id)

    session_ended.connect(note)
    with one.entered():
        signed = await sign_in()
    for process in (one, two, two):
        with process.entered():
            tabs.append(await Tab.open(signed))
    await tabs[0].ask("extend")
    with two.entered():
        activity = (await in_thread(Lane.DATABASE, lambda: signed.watched)).activity
    assert activity.active > activity.logged_in_at
    assert activity.tabs == {"one": 1, "two": 2}
    with one.entered():
        await monitor.aend(signed.watch_id, Reason.REVOKED, now())
    for tab in tabs:
        assert (await tab.frame())["reason"] == "revoked"
        assert await tab.close_code() == Close.ENDED
        await tab.leave()
    with one.entered():
        assert ended == [signed.watch_id]
