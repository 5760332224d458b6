"""What becomes of tabs when the channel layer loses messages."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.integration.faults.people import Watcher
from tests.integration.site import CORE, Site
from tests.support.serving import standing_still

COMPARED = 15.0
"""Seconds within which a process finds out what its tabs were not told."""


@pytest.mark.parametrize("environ", [{"LAYER": CORE, "CAPACITY": "1"}, {}], ids=["full", "broken"])
async def test_tabs_are_told_in_the_end_what_a_lost_message_said(make_site, environ: dict[str, str]):
    site: Site = make_site(**environ)
    watchers = [Watcher(site, f"watcher{number}", 1) for number in range(6)]
    waiting = [asyncio.create_task(watcher.live(reason="logout")) for watcher in watchers]
    await asyncio.sleep(1)
    # One that hears nothing for a while: of six messages its channel keeps one, or none.
    with standing_still(site.webs[1]):
        for watcher in watchers:
            watcher.server = site.webs[0]
            key = watcher.cookies["sessionid"]
            assert (await asyncio.to_thread(watcher.post, "/accounts/logout/")).status == 302
            watcher.cookies["sessionid"] = key
            watcher.active = time.monotonic()
        with site.redis.client() as client:
            client.client_kill_filter(_type="pubsub")
    async with asyncio.timeout(COMPARED + 5):
        await asyncio.gather(*waiting)
    assert len(site.announced()) == 6
    site.assert_sound()
