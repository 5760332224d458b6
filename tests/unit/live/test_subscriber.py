"""What one page is sent while it, or its socket, is still busy with what came before."""

from __future__ import annotations

import asyncio
import json
from unittest import mock

import pytest

from idlewatch.live import subscriber
from idlewatch.live.frames import Snapshot
from idlewatch.live.query import WatchMessage
from idlewatch.live.subscriber import Subscriber
from idlewatch.process import current_process
from idlewatch.store.values import Census

NOW = 1_900_000_000.0


def snapshot(query: int, total: int = 0) -> Snapshot:
    census = Census(total, 0, 0)
    return Snapshot(query, "1", census, total, bounded=False, page=1, pages=1, rows={}, samples=[])


class Line:
    """A server's send, which waits for its client to read if the test asks it to."""

    def __init__(self) -> None:
        self.frames: list[dict[str, object]] = []
        self.is_sending = asyncio.Event()
        self.is_read = asyncio.Event()
        self.is_read.set()
        self.close = mock.AsyncMock()
        self.page = Subscriber(current_process(), "w1", "1", self.send, self.close)

    async def send(self, frame: str) -> None:
        self.frames.append(json.loads(frame))
        self.is_sending.set()
        await self.is_read.wait()

    @property
    def told(self) -> list[tuple[object, object]]:
        return [(frame["type"], frame.get("query")) for frame in self.frames]


@pytest.fixture
async def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    monkeypatch.setattr(subscriber, "MIN_FRAME_INTERVAL", 0.0)
    return Line()


async def test_what_is_asked_while_the_last_answer_is_being_sent_is_answered_in_full(line: Line) -> None:
    line.is_read.clear()
    line.page.set_query(WatchMessage(1))
    telling = asyncio.ensure_future(line.page.show(snapshot(1), NOW))
    await line.is_sending.wait()
    line.page.set_query(WatchMessage(2))
    line.is_read.set()
    await telling
    line.page.acknowledge(1)
    assert line.page.awaits_results
    await line.page.show(snapshot(2, total=1), NOW)
    assert line.told == [("page", 1), ("page", 2)]


async def test_what_failed_to_be_sent_is_followed_by_nothing_but_the_close_of_a_slow_page(line: Line) -> None:
    broken = mock.patch.object(line.page, "_send", side_effect=RuntimeError("broken"))
    line.page.set_query(WatchMessage(1))
    with broken, pytest.raises(RuntimeError):
        await line.page.show(snapshot(1), NOW)
    await line.page.show(snapshot(1, total=1), NOW)
    await line.page.show_unavailable()
    assert line.told == []
    assert line.page.is_overdue(current_process().clock.ticks() + subscriber.ACK_TIMEOUT)


async def test_each_query_is_answered_once_that_the_store_is_unavailable(line: Line) -> None:
    for number in (1, 2):
        line.page.set_query(WatchMessage(number))
        for _ in range(2):
            await line.page.show_unavailable()
            line.page.acknowledge(len(line.frames))
        assert len(line.frames) == number
    assert line.told == [("unavailable", None)] * 2
