"""Two web processes, one truth: what one is told, the tabs of the other hear."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from tests.integration.deployment.site import Deployment, Unit
from tests.integration.deployment.visitors import Guest
from tests.integration.server.visitors import Tab, story

pytestmark = [pytest.mark.server]

AT_ONCE = 1.0
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


async def test_a_page_opened_at_one_clears_the_warning_at_the_other(deployment: Deployment, first: Unit, second: Unit):
    guest = Guest(deployment, "quick-page")
    async with guest.tab(web=first) as tab:
        assert (await tab.frame())["phase"] == "warned"
        assert (await asyncio.to_thread(guest.get, "/", web=second)).status == 200
        assert (await told(tab))["phase"] == "active"


async def test_staying_in_a_tab_of_one_clears_the_warning_at_the_other(
    deployment: Deployment, first: Unit, second: Unit
):
    guest = Guest(deployment, "quick-stay")
    async with guest.tab(web=first) as one, guest.tab(web=second) as other:
        assert story(await asyncio.gather(one.frame(), other.frame())) == [("warned", "idle")] * 2
        await one.say("extend")
        assert story(await asyncio.gather(told(one), told(other))) == [("active", None)] * 2


async def test_staying_by_the_fallback_at_one_clears_the_warning_at_the_other(
    deployment: Deployment, first: Unit, second: Unit
):
    guest = Guest(deployment, "quick-fallback")
    guest.get("/")
    async with guest.tab(web=first) as tab:
        while (await tab.frame())["phase"] != "warned":
            pass
        said = json.dumps({"type": "extend"})
        answer = await asyncio.to_thread(guest.post, "/idlewatch/message/", said, web=second)
        assert answer.status == 200
        assert (await told(tab))["phase"] == "active"


@pytest.mark.rule("R10")
async def test_a_logout_at_one_closes_the_tabs_of_the_other(deployment: Deployment, first: Unit, second: Unit):
    guest = Guest(deployment, "leaver")
    guest.get("/")
    async with guest.tab(web=first) as one, guest.tab(web=second) as other:
        logged_in_at = time.monotonic()
        ends = asyncio.gather(one.rest(), other.rest())
        assert (await asyncio.to_thread(guest.post, "/accounts/logout/", web=second)).status == 302
        assert [(story(frames), code) for frames, code in await ends] == [([("ended", "logout")], 4401)] * 2
        assert time.monotonic() - logged_in_at < AT_ONCE + 0.5


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
