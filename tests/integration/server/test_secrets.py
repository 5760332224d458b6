from __future__ import annotations

import json

import pytest

from tests.integration.server.visitors import FETCH, Visitor
from tests.support.serving import Server


@pytest.mark.rule("R23")
async def test_no_key_leaves_its_cookie(server: Server):
    """Whatever happens to a session: it is in no frame, no address, no page and no log line."""
    visitor = Visitor(server, "quick")
    shown = [visitor.get("/").text, visitor.get("/idlewatch/state/", FETCH).text]  # type: ignore[attr-defined]
    frames = []
    async with visitor.tab() as dropped:
        dropped.drop()
    async with visitor.tab() as tab:
        frames += [tab.first, await tab.ask("extend"), await tab.ask("hold", id="upload", label="Uploading")]
        await tab.socket.send("no JSON")
        frames.append(await tab.frame())
        frames.append(await tab.ask("release", id="upload"))
        frames += (await tab.rest())[0]
    cookie = visitor.cookie
    ended = visitor.get("/?q=1")
    assert ended.status == 302
    shown += [ended.headers["Location"], visitor.get("/accounts/login/").text]  # type: ignore[attr-defined]
    async with visitor.tab(cookie) as tab:
        frames.append(tab.first)
    other = Visitor(server, "steady")
    other.get("/")
    other.post("/accounts/logout/")
    server.stop()
    assert len(Visitor.keys) >= 2
    log = server.log.read_text()
    assert "/ws/idlewatch/tab/" in log
    for key in Visitor.keys:
        assert key not in json.dumps(frames)
        assert key not in log
        assert not [text for text in shown if key in text]
