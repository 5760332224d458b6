"""One open live page: what it shows, and whether it has acknowledged that."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from idlewatch.core.protocol import Close
from idlewatch.live.frames import Snapshot, changes_frame, page_frame, unavailable_frame
from idlewatch.live.query import Query, WatchMessage
from idlewatch.process import Process

logger = logging.getLogger("idlewatch")

MIN_FRAME_INTERVAL = 0.7
"""Seconds between two frames that no query asked for: rounds of a second are not always as long."""
ACK_TIMEOUT = 15.0
"""Seconds in which a page has to acknowledge a frame."""


class Subscriber:
    """A live page. Nothing is sent until it has acknowledged the previous frame.

    So a page that is slow, or stopped, receives all changes in one frame, and nothing is queued for it: under Daphne a
    send never waits for the client to read.
    """

    def __init__(
        self,
        process: Process,
        watch_id: str,
        user: str,
        send: Callable[[str], Awaitable[None]],
        close: Callable[[Close], Awaitable[None]],
    ) -> None:
        self._process = process
        self._clock = process.clock
        self.watch_id = watch_id
        """The operator's own session."""
        self.user = user
        """The primary key of the operator, as a string."""
        self.is_closed = False
        """Whether the page left, or is being closed: it has no query and receives nothing any longer."""
        self._send = send
        self._close = close
        self._query: Query | None = None
        self.query_number = 0
        """The page's number of its query."""
        self._shown: Snapshot | None = None
        self._frame_number = 0
        self._awaits_ack = False
        self._sent_at = float("-inf")
        self._is_unavailable = False

    @property
    def query(self) -> Query | None:
        """What the page shows; None before its first query, and once it is closed."""
        return None if self.is_closed else self._query

    @property
    def awaits_results(self) -> bool:
        """Whether the page has a query without results, and may be sent some."""
        return self._query is not None and self._shown is None and not self._awaits_ack and not self._is_unavailable

    def set_query(self, message: WatchMessage) -> None:
        """Change the query; each message is answered, even if the query is the same."""
        self._query, self.query_number = message.to_query(), message.query
        self._shown = None
        self._is_unavailable = False

    def acknowledge(self, frame: int) -> None:
        """Note that the page has applied a frame."""
        if frame == self._frame_number:
            self._awaits_ack = False

    def is_overdue(self, ticks: float) -> bool:
        """Return whether the page has not acknowledged a frame in time."""
        return self._awaits_ack and ticks - self._sent_at > ACK_TIMEOUT

    def close(self, code: Close) -> None:
        """Close the socket in the background: a server's close may wait for a client that does not answer."""
        if not self.is_closed:
            self.is_closed = True
            self._process.start(self._close_safely(code))

    async def show(self, snapshot: Snapshot, now: float) -> None:
        """Send what the page does not show yet, unless it has to wait."""
        ticks = self._clock.ticks()
        if self.is_closed or self._awaits_ack:
            return
        if self._shown is None:
            frame: str | None = page_frame(snapshot, self._frame_number + 1, now)
        elif ticks - self._sent_at >= MIN_FRAME_INTERVAL:
            frame = changes_frame(self._shown, snapshot, self._frame_number + 1, now)
        else:
            frame = None
        if frame is not None:
            # Before the sending: the page may change its query meanwhile. If it fails, no other frame follows.
            self._shown, self._is_unavailable = snapshot, False
            await self._send_frame(frame, ticks)

    async def show_unavailable(self) -> None:
        """Send, once for each query, that the sessions cannot be read; later the page receives all of them again."""
        self._shown = None
        if not (self.is_closed or self._awaits_ack or self._is_unavailable):
            self._is_unavailable = True
            await self._send_frame(unavailable_frame(self._frame_number + 1), self._clock.ticks())

    async def _send_frame(self, frame: str, ticks: float) -> None:
        self._frame_number += 1
        self._awaits_ack, self._sent_at = True, ticks
        await self._send(frame)

    async def _close_safely(self, code: Close) -> None:
        try:
            await self._close(code)
        except Exception:
            logger.exception("A live page could not be closed.")
