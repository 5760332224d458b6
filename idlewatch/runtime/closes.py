"""Closes the sockets of sessions that ended, a few at a time.

A close takes a server several times as long as a frame, with the client's answer and the end of the connection: of many
sessions that end together, or after one another, no frame is to wait behind the closes of the others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from itertools import count

from idlewatch.process import Process
from idlewatch.runtime.fan_out import FanOut

AT_ONCE = 4
"""Sockets that are closed together."""
SPACING = 0.003
"""Seconds until the next are: the frames that came meanwhile go first."""
MAX_DELAY = 1.0
"""Seconds after which a socket is closed, however many others are."""
TIMEOUT = 2.0
"""Seconds in which a socket is closed, where a server's send waits for the client to read."""

Close = Callable[[], Awaitable[None]]
"""What closes a socket, and raises nothing."""


class Closes:
    """Closes sockets in the order in which their sessions ended: the first when the present frames are sent."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._clock = process.clock
        self._fan_out = FanOut[Close](process)
        self._waiting: deque[tuple[float, Close]] = deque()
        self._is_working = False

    def add(self, close: Close) -> None:
        """Close a socket soon."""
        self._waiting.append((self._clock.ticks(), close))
        if not self._is_working:
            self._is_working = True
            self._process.start(self._close_all())

    async def _close_all(self) -> None:
        try:
            while self._waiting:
                await self._fan_out.send(self._next(), TIMEOUT)
                if self._waiting:
                    await self._clock.sleep(SPACING)
        finally:
            self._is_working = False

    def _next(self) -> Iterator[tuple[Close, Awaitable[None]]]:
        """Take those that are closed together."""
        for number in count():
            if not self._waiting or (number >= AT_ONCE and self._clock.ticks() < self._waiting[0][0] + MAX_DELAY):
                return
            _, close = self._waiting.popleft()
            yield close, close()
