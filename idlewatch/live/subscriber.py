"""One operator who watches: what their page was told, and whether it has worked that in."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from idlewatch.core.protocol import Close
from idlewatch.live.frames import Snapshot, changes_frame, page_frame, unavailable_frame
from idlewatch.live.query import Query, WatchMessage
from idlewatch.process import Process

logger = logging.getLogger("idlewatch")

PACE = 0.7
"""Seconds between two frames, at least, but for the answer to a question: rounds of a second are not always as long."""
SLOW = 15.0
"""Seconds that a page may take to work a frame in."""
PATIENCE = 2.0
"""Seconds that one page may keep the others waiting, where a server's send waits for the client to read."""


class Subscriber:
    """What one operator's page shows. Nothing is sent before the frame that was sent last is worked in.

    So a page that is slow, or stopped, gets what changed meanwhile as one difference, and nothing piles up for it:
    under Daphne a send never waits for the client to read.
    """

    def __init__(
        self,
        process: Process,
        watch_id: str,
        user: str,
        send: Callable[[str], Awaitable[None]],
        shut: Callable[[Close], Awaitable[None]],
    ) -> None:
        self._process = process
        self._clock = process.clock
        self.watch_id = watch_id
        """The operator's own session."""
        self.user = user
        """The primary key of the operator, as text."""
        self.is_gone = False
        """Whether it left, or is being sent away: it asks for nothing and is told nothing any more."""
        self._send = send
        self._close = shut
        self._asked: tuple[int, Query] | None = None
        self._shown: Snapshot | None = None
        self._frame = 0
        self._is_awaited = False
        self._sent_at = float("-inf")
        self._is_lost = False

    @property
    def ask(self) -> Query | None:
        """What the page asks for; None before it does, and once it is gone."""
        return None if self._asked is None or self.is_gone else self._asked[1]

    @property
    def query(self) -> int:
        """The page's number for what it asks for."""
        return 0 if self._asked is None else self._asked[0]

    @property
    def waits(self) -> bool:
        """Whether the page waits for its first answer, and may be sent one."""
        return self._asked is not None and self._shown is None and not self._is_awaited and not self._is_lost

    def watches(self, message: WatchMessage) -> None:
        """Note that the page asks for something else, or the same anew: each question has its answer."""
        self._asked = message.query, message.to_query()
        self._shown = None
        self._is_lost = False

    def has_seen(self, frame: int) -> None:
        """Note that the page has worked a frame in."""
        if frame == self._frame:
            self._is_awaited = False

    def is_slow(self, at: float) -> bool:
        """Tell whether it has taken too long over a frame; `at` is what the clock ticks."""
        return self._is_awaited and at - self._sent_at > SLOW

    def shut(self, code: Close) -> None:
        """Close the socket; nobody waits for it, as a server's close may wait for a client that does not answer."""
        if not self.is_gone:
            self.is_gone = True
            self._process.start(self._shut(code))

    async def show(self, picture: Snapshot, now: float) -> None:
        """Send what the page does not show yet, if it may be sent anything."""
        at = self._clock.ticks()
        if self.is_gone or self._is_awaited:
            return
        if self._shown is None:
            frame: str | None = page_frame(picture, self._frame + 1, now)
        elif at - self._sent_at >= PACE:
            frame = changes_frame(self._shown, picture, self._frame + 1, now)
        else:
            frame = None
        if frame is not None:
            # Before the telling: what the page asks for meanwhile counts. One that fails is followed by no other.
            self._shown, self._is_lost = picture, False
            await self._tell(frame, at)

    async def miss(self) -> None:
        """Say, once for each question, that nobody can be asked just now; when it is over, all comes anew."""
        self._shown = None
        if not (self.is_gone or self._is_awaited or self._is_lost):
            self._is_lost = True
            await self._tell(unavailable_frame(self._frame + 1), self._clock.ticks())

    async def _tell(self, frame: str, at: float) -> None:
        self._frame += 1
        self._is_awaited, self._sent_at = True, at
        try:
            async with self._clock.timeout(PATIENCE):
                await self._send(frame)
        except TimeoutError:
            self.shut(Close.TOO_SLOW)

    async def _shut(self, code: Close) -> None:
        try:
            await self._close(code)
        except Exception:
            logger.exception("A live page could not be closed.")
