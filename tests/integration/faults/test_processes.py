"""What becomes of sessions when processes die, stop or go."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

import pytest

from tests.integration.faults.life import endure, recorded
from tests.integration.faults.people import Person, Watcher
from tests.integration.site import GRACE, IDLE, Site
from tests.support.serving import ROOT, standing_still


@pytest.mark.rule("R7")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_a_web_process_that_is_killed_or_terminated_loses_no_session(site: Site, how: signal.Signals):
    async def end(site: Site) -> None:
        assert await asyncio.to_thread(site.webs[0].stop, how) == (0 if how == signal.SIGTERM else -how)
        await asyncio.sleep(4)
        await asyncio.to_thread(site.webs[0].start)

    await endure(site, end)


@pytest.mark.rule("R7")
async def test_a_web_process_that_is_stopped_for_longer_than_the_timeout_loses_no_session(site: Site):
    async def stop(site: Site) -> None:
        with standing_still(site.webs[0]):
            await asyncio.sleep(IDLE + 2)

    await endure(site, stop)


async def test_a_timer_that_is_killed_is_not_missed(site: Site):
    await asyncio.to_thread(site.start_timer)

    async def kill(site: Site) -> None:
        await asyncio.to_thread(site.stop_timer, signal.SIGKILL)

    await endure(site, kill, told_within=2.0)


CLAIM_AND_DIE = """
import asyncio, os, signal
from idlewatch.monitor import stores
from idlewatch.process import now
from idlewatch.store.values import Due

async def claim():
    while not (found := await stores.current().queue.claim(Due.PUSH, now(), 10, 4.0)):
        await asyncio.sleep(0.01)
    print("claimed", *(watched.id for watched in found), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(claim())
"""


@pytest.mark.rule("R7")
async def test_what_a_process_claimed_that_is_killed_before_it_settles_is_finished_by_another(site: Site):
    watcher = Watcher(site, "watcher", 0)
    waiting = asyncio.create_task(watcher.live())
    await asyncio.sleep(1)
    # Only the process that is to die claims what is due.
    with standing_still(*site.webs):
        dying = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "manage.py", "shell", "-c", CLAIM_AND_DIE],
            cwd=ROOT,
            env=site.environ,
            capture_output=True,
            text=True,
            timeout=IDLE + 20,
            check=False,
        )
    assert dying.returncode == -signal.SIGKILL, dying.stderr
    assert "claimed " in dying.stdout
    async with asyncio.timeout(IDLE + 5):
        await waiting
    await recorded(site, {"watcher": "idle"})
    site.assert_sound()


@pytest.mark.rule("R7")
async def test_the_tabs_of_a_process_that_is_killed_are_taken_back_and_a_browser_closed_afterwards_is_noticed(
    make_site,
):
    site: Site = make_site(IDLEWATCH_IDLE_TIMEOUT="120")
    person = Person(site, "person", 0)
    await person.open_tab()
    await asyncio.to_thread(site.webs[0].stop, signal.SIGKILL)
    person.server = site.webs[1]
    tab = await person.open_tab()
    # Until the dead process's lease lapses, its tab counts.
    await asyncio.sleep(12)
    await tab.socket.close(1001)
    await recorded(site, {"person": ""})
    await asyncio.sleep(GRACE)
    await recorded(site, {"person": "closed"})
    site.assert_sound()
