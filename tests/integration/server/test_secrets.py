from __future__ import annotations

import json

import pytest

from tests.integration.server.visitors import FETCH, Visitor
from tests.support.serving import Server


@pytest.mark.rule("R23")
async def test_no_key_leaves_its_cookie(server: Server):
    """Whatever happens to a session: it is in no frame, no address, no page and no log line."""
    visitor = Visitor(server, "quick")
    shown = [visitor.get("/").text, visitor.get("/idlewatch/state/", FETCH).text]
    async with visitor.tab() as dropped:
        dropped.drop()
    async with visitor.tab() as tab:
        frames = [tab.first, await tab.ask("extend"), await tab.ask("hold", id="upload", label="Uploading")]
        await tab.socket.send("no JSON")
        frames += [await tab.frame(), await tab.ask("release", id="upload"), *(await tab.rest())[0]]
    cookie = visitor.cookie
    ended = visitor.get("/?q=1")
    assert ended.status == 302
    shown += [ended.headers["Location"], visitor.get("/accounts/login/").text]
    async with visitor.tab(cookie) as tab:
        frames.append(tab.first)
    other = Visitor(server, "steady")
    other.post("/accounts/logout/")
    server.stop()
    shown += [json.dumps(frames), server.log.read_text()]
    assert "/ws/idlewatch/tab/" in shown[-1]
    assert len(Visitor.keys) >= 2
    assert not [text for text in shown for key in Visitor.keys if key in text]
