"""What has to be true of everyone, whatever is done to the site."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from tests.integration.faults.people import SLACK, Person, Surfer, Watcher, Writer, gone_for_good, refused
from tests.integration.site import IDLE, Site, until

Fault = Callable[[Site], Awaitable[None]]

SETTLES = 7.0
"""Seconds after a fault in which ends may reach tabs late: no request is served meanwhile."""


async def endure(site: Site, fault: Fault, *, lost: bool = False, told_within: float = SETTLES) -> None:
    """Live through a fault: no active user is signed out, no idle one is served past the limit.

    `lost`: the store loses its data, so that a session without a tab may end a checkpoint early.
    """
    # At once: on a busy machine the first would be idle for too long before the last is there.
    *writers, surfer, away, out = await asyncio.gather(
        asyncio.to_thread(Writer, site, "writer0", 0),
        asyncio.to_thread(Writer, site, "writer1", 1),
        asyncio.to_thread(Surfer, site, "surfer", 0),
        asyncio.to_thread(Person, site, "away", 1),
        asyncio.to_thread(Person, site, "out", 0),
    )

    async def do_damage() -> float:
        await fault(site)
        return time.monotonic()

    stopping = asyncio.Event()
    busy = [asyncio.create_task(person.live(stopping)) for person in (*writers, surfer)]
    left = dict(out.cookies)
    assert (await asyncio.to_thread(out.post, "/accounts/logout/")).status == 302
    out.cookies = left
    # Late enough that the fault comes into the middle of their idle time.
    watcher = await asyncio.to_thread(Watcher, site, "watcher", 1)
    waiting = asyncio.create_task(watcher.live())
    await asyncio.sleep(2)
    started = time.monotonic()
    damage = asyncio.create_task(do_damage())
    try:
        while not damage.done() or time.monotonic() < started + IDLE + 3:
            await asyncio.sleep(0.25)
            for task in busy:
                if task.done():
                    await task
            if time.monotonic() > away.active + IDLE:
                await refused(away)
        over = await damage
        await refused(out)

        early = IDLE / 10 if lost else 0.0
        async with asyncio.timeout(IDLE + told_within + 5):
            told = await waiting
        assert told - watcher.signed_in >= IDLE - early - 0.1
        assert told <= max(watcher.active + IDLE, over) + told_within
    finally:
        stopping.set()
        damage.cancel()
        waiting.cancel()
        done = await asyncio.gather(*busy, return_exceptions=True)
        await asyncio.gather(damage, waiting, return_exceptions=True)
    for failure in done:
        if failure is not None:
            raise failure

    await asyncio.sleep(max(0.0, max(person.active for person in (*writers, surfer)) + IDLE - time.monotonic()) + SLACK)
    for person in (*writers, surfer, away, watcher, out):
        await gone_for_good(person)
    await recorded(site, dict.fromkeys(("writer0", "writer1", "surfer", "away", "watcher"), "idle") | {"out": "logout"})
    site.assert_sound()


async def recorded(site: Site, expected: dict[str, str]) -> None:
    """Wait until the records say how each session ended."""
    with suppress(AssertionError):
        await asyncio.to_thread(until, lambda: site.outcomes() == expected)
    assert site.outcomes() == expected
