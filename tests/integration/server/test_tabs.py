from __future__ import annotations

import asyncio
import contextlib
import socket
import time

import pytest
from websockets.exceptions import ConnectionClosed

from tests.integration.server.visitors import FETCH, Visitor, story
from tests.support.serving import Server, standing_still

AT_ONCE = 2.0
"""Seconds within which a tab receives a change."""
ESTABLISHED = 1
"""What TCP_INFO says first of a connection that is still open."""


@pytest.mark.rule("R1", "R31")
async def test_an_idle_session_is_warned_and_ended_in_time_in_every_tab(shared: Server):
    started = time.monotonic()
    visitor = Visitor(shared, "quick-idle")
    async with visitor.tab() as first, visitor.tab() as second:
        (told, code), other = await asyncio.gather(first.rest(), second.rest())
    assert (story(told), code) == ([("warned", "idle"), ("ended", "idle")], 4401)
    assert other == (told, 4401)
    assert 2 <= time.monotonic() - started < 2 + AT_ONCE
    assert told[0]["remaining"] == pytest.approx(1, abs=0.5)
    assert told[1]["login_url"] == "/accounts/login/"
    cookie = visitor.cookie
    gone = visitor.get("/")
    assert (gone.status, gone.headers["Location"]) == (302, "/accounts/login/?next=/")
    async with visitor.tab(cookie) as tab:
        assert story([tab.first]) == [("ended", "idle")]


@pytest.mark.rule("R10", "R26")
async def test_a_logout_closes_every_socket_at_once_and_waits_for_a_page_that_answers_slowly(shared: Server):
    visitor = Visitor(shared, "steady")
    visitor.get("/")
    async with visitor.tab() as first, visitor.tab() as second, visitor.tab() as slow:
        slow.socket.transport.pause_reading()
        started = time.monotonic()
        ends = asyncio.gather(first.rest(), second.rest())
        assert (await asyncio.to_thread(visitor.post, "/accounts/logout/")).status == 302
        told = await ends
        assert time.monotonic() - started < AT_ONCE
        # Daphne's own second, and what a busy machine takes.
        await asyncio.sleep(1.5)
        connection = slow.socket.transport.get_extra_info("socket")
        (state,) = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        assert state == ESTABLISHED
        slow.socket.transport.resume_reading()
        told.append(await slow.rest())
    assert [(story(frames), code) for frames, code in told] == [([("ended", "logout")], 4401)] * 3


@pytest.mark.rule("R6", "R7")
async def test_a_server_that_was_stopped_past_the_limit_serves_nothing_late(shared: Server):
    quick, steady = Visitor(shared, "quick-stopped"), Visitor(shared, "steady")
    async with quick.tab() as tab, steady.tab() as other:
        with standing_still(shared):
            await tab.say("extend")
            await asyncio.sleep(2.5)
            await tab.say("extend")
        told, code = await tab.rest()
        assert code == 4401
        assert story(told)[-1] == ("ended", "idle")
        assert ("active", None) not in story(told)
        assert (await other.ask("sync"))["phase"] == "active"
    assert quick.get("/demo/clock/", FETCH).headers["Idlewatch-Ended"] == "idle"


@pytest.mark.rule("R39", "R40")
async def test_a_closed_browser_ends_its_session_after_the_grace_and_no_other_close_does(shared: Server):
    """`CLOSE_GRACE` is one second here."""
    visitors = reloader, lost, follower, closer = [Visitor(shared, f"steady-{number}") for number in range(4)]
    for visitor in visitors:
        visitor.get("/")
    async with lost.tab() as dropped, follower.tab() as left, closer.tab():
        dropped.drop()
        await left.socket.close(4000)
    for _ in range(4):
        async with reloader.tab():
            pass
        await asyncio.sleep(0.4)
    async with reloader.tab() as one, lost.tab() as two, follower.tab() as three, closer.tab() as four:
        assert story([tab.first for tab in (one, two, three)]) == [("active", None)] * 3
        assert story([four.first]) == [("ended", "closed")]
        assert await four.rest() == ([], 4401)


@pytest.mark.rule("R24")
async def test_a_message_too_large_for_daphne_costs_its_tab_and_ends_nothing(shared: Server):
    visitor = Visitor(shared, "steady-much")
    visitor.get("/")
    async with visitor.tab() as tab:
        with contextlib.suppress(ConnectionClosed):
            await tab.socket.send("x" * 2 * 1024 * 1024)
        assert (await tab.rest())[0] == []
    await asyncio.sleep(1.3)
    async with visitor.tab() as tab:
        assert tab.first["phase"] == "active"


async def test_a_slow_page_delays_no_frame_and_no_tab(shared: Server):
    visitor = Visitor(shared, "steady")
    async with visitor.tab() as tab:
        pages = [asyncio.create_task(asyncio.to_thread(visitor.get, "/slow/")) for _ in range(3)]
        await asyncio.sleep(0.3)
        for _ in range(10):
            await tab.ask("sync")
        async with visitor.tab() as late:
            assert late.first["phase"] == "active"
        assert not any(page.done() for page in pages)
        assert [(await page).status for page in pages] == [200] * 3
