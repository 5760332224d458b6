"""What is done at one of two web processes reaches the tabs of the other."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.integration.deployment.site import Deployment
from tests.integration.deployment.visitors import Guest
from tests.integration.server.visitors import Tab, story

AT_ONCE = 2.0
"""Seconds within which a tab receives a change."""


async def told(tab: Tab) -> dict[str, object]:
    """Return the next frame, which has to come at once."""
    async with asyncio.timeout(AT_ONCE):
        return await tab.frame()


async def test_activity_at_one_clears_the_warning_at_the_other_until_the_end_reaches_both(deployment: Deployment):
    """By a page, by the fallback, and by a socket."""
    first, second = deployment.webs
    guest = Guest(deployment, "quick-stay")
    guest.get("/")
    said = json.dumps({"type": "extend"})
    async with guest.tab(web=first) as one, guest.tab(web=second) as other:
        for stay in (
            asyncio.to_thread(guest.get, "/", web=second),
            asyncio.to_thread(guest.post, "/idlewatch/message/", said, web=second),
            other.say("extend"),
        ):
            for tab in (one, other):
                while (await tab.frame())["phase"] != "warned":
                    pass
            await stay
            assert story(await asyncio.gather(told(one), told(other))) == [("active", None)] * 2
        ends = await asyncio.gather(one.rest(), other.rest())
    # The last stay may reach a tab twice.
    assert [(story(frames)[-2:], code) for frames, code in ends] == [
        ([("warned", "idle"), ("ended", "idle")], 4401)
    ] * 2


@pytest.mark.rule("R39", "R40")
async def test_the_browser_is_closed_when_the_last_tab_of_both_is(deployment: Deployment):
    first, second = deployment.webs
    guest = Guest(deployment, "closer")
    guest.get("/")
    async with guest.tab(web=second) as other:
        async with guest.tab(web=first):
            pass
        await asyncio.sleep(1.5)
        assert (await other.ask("sync"))["phase"] == "active"
    await asyncio.sleep(1.5)
    async with guest.tab(web=first) as tab:
        assert story([tab.first]) == [("ended", "closed")]
