"""Two web processes, one truth: what one is told, the tabs of the other hear."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from tests.integration.deployment.site import Deployment, Unit
from tests.integration.deployment.visitors import Guest
from tests.integration.server.visitors import Tab, story

AT_ONCE = 2.0
"""Seconds within which a tab hears of a change."""


@pytest.fixture
def first(deployment: Deployment) -> Unit:
    return deployment.webs[0]


@pytest.fixture
def second(deployment: Deployment) -> Unit:
    return deployment.webs[1]


async def told(tab: Tab) -> dict[str, object]:
    """Return the next frame, which has to come at once."""
    async with asyncio.timeout(AT_ONCE):
        return await tab.frame()


async def test_the_warning_and_the_end_reach_the_tabs_of_both(deployment: Deployment, first: Unit, second: Unit):
    guest = Guest(deployment, "quick-both")
    async with guest.tab(web=first) as one, guest.tab(web=second) as other:
        ends = await asyncio.gather(one.rest(), other.rest())
    for tab, (frames, code) in zip((one, other), ends, strict=True):
        # On a busy machine a tab may come late enough to find the warning there.
        told = dict.fromkeys(story([tab.first, *frames]))
        assert [*told][-2:] == [("warned", "idle"), ("ended", "idle")]
        assert code == 4401


async def test_activity_at_one_clears_the_warning_at_the_other(deployment: Deployment, first: Unit, second: Unit):
    """By a page, by the fallback, and by a socket."""
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


@pytest.mark.rule("R10")
async def test_a_logout_at_one_closes_the_tabs_of_the_other(deployment: Deployment, first: Unit, second: Unit):
    guest = Guest(deployment, "leaver")
    guest.get("/")
    async with guest.tab(web=first) as one, guest.tab(web=second) as other:
        started = time.monotonic()
        ends = asyncio.gather(one.rest(), other.rest())
        assert (await asyncio.to_thread(guest.post, "/accounts/logout/", web=second)).status == 302
        assert [(story(frames), code) for frames, code in await ends] == [([("ended", "logout")], 4401)] * 2
        assert time.monotonic() - started < AT_ONCE


@pytest.mark.rule("R39", "R40")
async def test_the_browser_is_closed_when_the_last_tab_of_both_is(deployment: Deployment, first: Unit, second: Unit):
    guest = Guest(deployment, "closer")
    guest.get("/")
    cookie = guest.cookie
    async with guest.tab(web=second) as other:
        async with guest.tab(web=first):
            pass
        await asyncio.sleep(1.5)
        assert (await other.ask("sync"))["phase"] == "active"
    await asyncio.sleep(1.5)
    async with guest.tab(cookie, web=first) as tab:
        assert story([tab.first]) == [("ended", "closed")]
