from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.integration.server.visitors import FETCH, Visitor, story
from tests.support.serving import Server

AT_ONCE = 2.0
"""Seconds within which a tab hears of a change."""
ESTABLISHED = 1
"""What TCP_INFO says first of a connection that is still open."""


class TestConnecting:
    async def test_a_tab_is_told_how_it_stands_and_asks_again(self, shared: Server):
        async with Visitor(shared, "steady").tab() as tab:
            assert (tab.first["type"], tab.first["phase"], tab.first["idle_timeout"]) == ("state", "active", 900.0)
            assert (await tab.ask("extend"))["remaining"] == pytest.approx(900, abs=1)
            await tab.say("activity", ago=1.5)
            assert (await tab.ask("sync"))["version"] > tab.first["version"]

    @pytest.mark.rule("R21")
    @pytest.mark.parametrize("origin", [None, "http://localhost:{port}"])
    async def test_a_page_of_another_origin_is_refused(self, shared: Server, origin: str | None):
        foreign = origin and origin.format(port=shared.port)
        with pytest.raises(InvalidStatus) as refused:
            await Visitor(shared, "steady").connect(origin=foreign)
        assert refused.value.response.status_code == 403

    @pytest.mark.rule("R21")
    async def test_one_that_names_two_origins_is_refused(self, shared: Server):
        with pytest.raises(InvalidStatus) as refused:
            await Visitor(shared, "steady").connect(more=[("Origin", "http://evil.example")])
        assert refused.value.response.status_code in {400, 403}

    async def test_a_socket_that_is_not_there_is_refused_without_a_word_in_the_log(self, shared: Server):
        before = len(shared.log.read_bytes())
        with pytest.raises(InvalidStatus) as refused:
            await Visitor(shared, "steady").connect(path="/ws/idlewatch/nothing/")
        assert refused.value.response.status_code == 403
        assert b"Traceback" not in shared.log.read_bytes()[before:]


class TestEnding:
    @pytest.mark.rule("R1", "R31")
    async def test_an_idle_session_is_warned_and_ended_in_time_in_every_tab(self, shared: Server):
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
    async def test_a_logout_closes_every_socket_at_once(self, shared: Server):
        visitor = Visitor(shared, "steady")
        visitor.get("/")
        async with visitor.tab() as first, visitor.tab() as second, visitor.tab() as third:
            started = time.monotonic()
            ends = asyncio.gather(*(tab.rest() for tab in (first, second, third)))
            assert (await asyncio.to_thread(visitor.post, "/accounts/logout/")).status == 302
            told = await ends
        assert time.monotonic() - started < AT_ONCE
        assert [(story(frames), code) for frames, code in told] == [([("ended", "logout")], 4401)] * 3

    async def test_a_page_that_answers_the_close_slowly_is_not_cut_off(self, shared: Server):
        visitor = Visitor(shared, "steady")
        visitor.get("/")
        async with visitor.tab() as tab:
            tab.socket.transport.pause_reading()
            assert (await asyncio.to_thread(visitor.post, "/accounts/logout/")).status == 302
            # Daphne's own second, and what a busy machine takes.
            await asyncio.sleep(1.5)
            connection = tab.socket.transport.get_extra_info("socket")
            (state,) = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
            tab.socket.transport.resume_reading()
            frames, code = await tab.rest()
        assert state == ESTABLISHED
        assert (story(frames), code) == ([("ended", "logout")], 4401)

    @pytest.mark.rule("R10")
    async def test_an_end_that_another_process_wrote_into_the_record_reaches_every_tab(self, shared: Server):
        visitor = Visitor(shared, "steady-revoked")
        async with visitor.tab() as first, visitor.tab() as second:
            await asyncio.to_thread(revoke, shared, "steady-revoked")
            started = time.monotonic()
            told = await asyncio.gather(first.rest(), second.rest())
        assert time.monotonic() - started < AT_ONCE
        assert [(story(frames), code) for frames, code in told] == [([("ended", "revoked")], 4401)] * 2
        assert visitor.get("/demo/clock/", FETCH).headers["Idlewatch-Ended"] == "revoked"

    @pytest.mark.rule("R6", "R7")
    async def test_a_server_that_was_stopped_past_the_limit_serves_nothing_late(self, shared: Server):
        assert shared.process is not None
        quick, steady = Visitor(shared, "quick-stopped"), Visitor(shared, "steady")
        async with quick.tab() as tab, steady.tab() as other:
            os.kill(shared.process.pid, signal.SIGSTOP)
            try:
                await tab.say("extend")
                await asyncio.sleep(2.5)
                await tab.say("extend")
            finally:
                os.kill(shared.process.pid, signal.SIGCONT)
            told, code = await tab.rest()
            assert code == 4401
            assert story(told)[-1] == ("ended", "idle")
            assert ("active", None) not in story(told)
            assert (await other.ask("sync"))["phase"] == "active"
        assert quick.get("/demo/clock/", FETCH).headers["Idlewatch-Ended"] == "idle"


class TestClosing:
    """`CLOSE_GRACE` is one second here."""

    @pytest.mark.rule("R39")
    async def test_a_closed_browsers_cookie_is_refused_after_the_grace(self, shared: Server):
        visitor = Visitor(shared, "steady")
        visitor.get("/")
        cookie = visitor.cookie
        async with visitor.tab():
            pass
        await asyncio.sleep(1.3)
        async with visitor.tab(cookie) as tab:
            assert story([tab.first]) == [("ended", "closed")]
            assert await tab.rest() == ([], 4401)
        assert visitor.get("/demo/clock/", FETCH).headers["Idlewatch-Ended"] == "closed"

    @pytest.mark.rule("R40")
    async def test_reloads_and_lost_networks_and_followed_links_end_nothing(self, shared: Server):
        reloader, lost, follower = (Visitor(shared, name) for name in ("steady-one", "steady-two", "steady-three"))
        for visitor in (reloader, lost, follower):
            visitor.get("/")
        async with lost.tab() as tab, follower.tab() as other:
            tab.drop()
            await other.socket.close(4000)
        for _ in range(4):
            async with reloader.tab():
                pass
            await asyncio.sleep(0.4)
        async with reloader.tab() as one, lost.tab() as two, follower.tab() as three:
            assert story([tab.first for tab in (one, two, three)]) == [("active", None)] * 3


class TestSturdiness:
    @pytest.mark.rule("R24")
    async def test_one_that_daphne_does_not_take_costs_its_tab_and_ends_nothing(self, shared: Server):
        visitor = Visitor(shared, "steady-much")
        visitor.get("/")
        async with visitor.tab() as tab:
            with contextlib.suppress(ConnectionClosed):
                await tab.socket.send("x" * 2 * 1024 * 1024)
            assert (await tab.rest())[0] == []
        await asyncio.sleep(1.3)
        async with visitor.tab() as tab:
            assert tab.first["phase"] == "active"

    async def test_a_slow_page_delays_no_frame_and_no_tab(self, shared: Server):
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


def database(server: Server) -> Path:
    return Path(server.environ["DATABASE_URL"].removeprefix("sqlite:///"))


def revoke(server: Server, name: str) -> None:
    """Close a record, as a command in a process of its own does."""
    ended = datetime.now(UTC).replace(tzinfo=None).isoformat(" ")
    with sqlite3.connect(database(server), timeout=20) as connection:
        closed = connection.execute(
            "UPDATE idlewatch_watchedsession SET ended = ?, reason = 'revoked' WHERE username = ? AND ended IS NULL",
            (ended, name),
        )
    assert closed.rowcount == 1
    connection.close()
