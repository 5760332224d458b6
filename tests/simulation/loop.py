"""An event loop with a virtual clock, on which several server processes run."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any, Protocol

from idlewatch.process.process import _current


class Host(Protocol):
    """A machine that may be stopped, or dead."""

    runs: bool
    parked: deque[asyncio.Handle]


MAX_STEPS = 400_000
"""Callbacks in one schedule; a usual one has a tenth."""


class Stalled(Exception):
    """Nothing is ready, and nothing will be; or something goes round for ever."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time jumps to the next moment at which something happens.

    What belongs to a process (its context says so) waits while the process is stopped, and for ever once it is dead.
    """

    def __init__(self) -> None:
        super().__init__()
        self.moment = 0.0
        self.steps = 0

    def time(self) -> float:
        """Return the virtual time, in seconds since the loop was made."""
        return self.moment

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Call it soon: there is one thread."""
        return self.call_soon(callback, *args, context=context)

    def _run_once(self) -> None:
        ready = self._ready  # type: ignore[attr-defined]
        self._collect_due(jumps=not ready)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            host = handle._context.get(_current)
            if host is not None and not host.runs:
                host.parked.append(handle)
                continue
            self.steps += 1
            if self.steps > MAX_STEPS:
                raise Stalled(f"something goes round for ever at {self.moment:.3f}: {handle!r}")
            handle._run()

    def _collect_due(self, *, jumps: bool) -> None:
        """Make ready what is due; `jumps`: let time pass until something is."""
        scheduled = self._scheduled  # type: ignore[attr-defined]
        while scheduled and (scheduled[0]._cancelled or jumps or scheduled[0]._when <= self.moment):
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            if handle._cancelled:
                self._timer_cancelled_count -= 1
                continue
            self.moment = max(self.moment, handle._when)
            self._ready.append(handle)  # type: ignore[attr-defined]
            jumps = False
        if jumps and not self._stopping:  # type: ignore[attr-defined]
            raise Stalled

    def resume(self, host: Host) -> None:
        """Let what waited for a stopped process run."""
        self._ready.extend(host.parked)  # type: ignore[attr-defined]
        host.parked.clear()

    def close_all(self) -> None:
        """Close the loop; what was left in it never runs."""
        self._ready.clear()  # type: ignore[attr-defined]
        self._scheduled.clear()  # type: ignore[attr-defined]
        self.close()
