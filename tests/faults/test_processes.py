"""What becomes of sessions when processes die, stop or go."""

from __future__ import annotations

import asyncio
import signal

import pytest

from tests.faults.life import endure
from tests.faults.site import IDLE, Site
from tests.serving import Server


def suspend(web: Server, how: signal.Signals) -> None:
    assert web.process is not None
    web.process.send_signal(how)


@pytest.mark.rule("R7")
async def test_a_web_process_that_is_killed_loses_nobody(site: Site):
    async def kill(site: Site) -> None:
        await asyncio.to_thread(site.webs[0].stop, signal.SIGKILL)
        await asyncio.sleep(4)
        await asyncio.to_thread(site.webs[0].start)

    await endure(site, kill)


async def test_a_web_process_that_is_terminated_loses_nobody(site: Site):
    async def terminate(site: Site) -> None:
        assert await asyncio.to_thread(site.webs[0].stop) == 0
        await asyncio.sleep(4)
        await asyncio.to_thread(site.webs[0].start)

    await endure(site, terminate)


@pytest.mark.rule("R7")
async def test_a_web_process_that_is_stopped_for_longer_than_the_timeout_loses_nobody(site: Site):
    async def stop(site: Site) -> None:
        suspend(site.webs[0], signal.SIGSTOP)
        try:
            await asyncio.sleep(IDLE + 2)
        finally:
            suspend(site.webs[0], signal.SIGCONT)

    await endure(site, stop)
