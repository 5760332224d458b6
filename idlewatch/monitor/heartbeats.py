"""Heartbeats that wait a moment for others: no page waits for an answer, so a shared store credits many in one call.

Whatever else happens to a session in the same event loop happens after what waits of it, and so does its end, wherever
this process judges it. Heartbeats of a tab that shows a warning, or of a session that is never warned, are applied at
once, so that none is late. A process that is killed loses what came in its last `COLLECTION_TIME`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from threading import Lock
from typing import Any, NamedTuple

from idlewatch import metrics
from idlewatch.core.events import Acted
from idlewatch.exceptions import HeldBack, StoreUnavailable, Undecided
from idlewatch.monitor.outage import Outage
from idlewatch.process import Process
from idlewatch.store.base import SessionStore
from idlewatch.store.values import Touch, Watched

COLLECTION_TIME = 0.03
"""Seconds for which a heartbeat waits for others."""
MIN_WARNING = 1.0
"""Seconds of warning below which none waits: what comes just before the end would be credited after it."""
FLUSH_TIMEOUT = 0.5
"""Seconds that `flush` waits at most: sessions that are looked at one by one may need their records."""


class Heartbeat(NamedTuple):
    """A heartbeat that waits, and what to do where it is more than a touch."""

    touch: Touch
    look: Callable[[], Awaitable[Watched | None]]
    """Applies it by itself."""
    follow: Callable[[Awaitable[Watched | None]], Coroutine[Any, Any, None]]
    """Does what follows from that for the tab."""


class Heartbeats:
    """Collects the heartbeats of one event loop. Threads may `credit` them."""

    def __init__(self, process: Process, sessions: SessionStore, outage: Outage) -> None:
        self._process = process
        self._sessions = sessions
        self._outage = outage
        self._lock = Lock()
        self._waiting: dict[str, list[Heartbeat]] = {}
        """By watch id."""
        self._sending: asyncio.Task[None] | None = None
        self._under_way: dict[asyncio.Task[None], Mapping[str, Sequence[Heartbeat]]] = {}
        """What each task works on, by watch id."""

    def add(self, heartbeat: Heartbeat) -> bool:
        """Have a heartbeat credited within `COLLECTION_TIME`; return False where the caller has to apply it instead.

        That is so until a timer runs: it reports what the store misses.
        """
        if not self._outage.is_tended:
            return False
        with self._lock:
            self._waiting.setdefault(heartbeat.touch.watch_id, []).append(heartbeat)
        if self._sending is None:
            self._sending = self._process.start(self._send_later())
        return True

    @property
    def is_idle(self) -> bool:
        """Whether no heartbeat waits, or is being credited."""
        return not self._waiting and not self._under_way

    async def settle(self, watch_id: str) -> None:
        """Wait until every heartbeat of a session that has come is credited."""
        if watch_id in self._waiting:
            self._send()
        while tasks := [task for task, sessions in self._under_way.items() if watch_id in sessions]:
            await asyncio.wait(tasks)

    async def flush(self) -> None:
        """Credit everything that waits; go on after `FLUSH_TIMEOUT` without the rest."""
        self._send()
        if self._under_way:
            with suppress(TimeoutError):
                async with self._process.clock.timeout(FLUSH_TIMEOUT):
                    await asyncio.wait(list(self._under_way))

    def credit(self, watch_id: str) -> None:
        """Credit what has come of a session, from any thread; what is on its way to the store, again."""
        with self._lock:
            came = self._waiting.pop(watch_id, [])
            for sessions in list(self._under_way.values()):
                came.extend(sessions.get(watch_id, ()))
        for touch, _, _ in came:
            try:
                self._sessions.apply(watch_id, Acted(touch.now - touch.moment), touch.now)
            except (StoreUnavailable, HeldBack, Undecided):
                self._outage.keep_waiting(watch_id, touch.moment)

    async def _send_later(self) -> None:
        await self._process.clock.sleep(COLLECTION_TIME)
        self._sending = None
        self._send()

    def _send(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, {}
            if waiting:
                self._begin(self._credit_all([each for session in waiting.values() for each in session]), waiting)

    def _begin(
        self, work: Coroutine[Any, Any, None], heartbeats: Mapping[str, Sequence[Heartbeat]]
    ) -> asyncio.Task[None]:
        task = self._process.start(work)
        self._under_way[task] = heartbeats
        task.add_done_callback(self._under_way.pop)
        return task

    async def _credit_all(self, heartbeats: Sequence[Heartbeat]) -> None:
        left = await self._credit_together(heartbeats)
        if left:
            applying = [self._begin(self._apply(each), {each.touch.watch_id: [each]}) for each in left]
            if (task := asyncio.current_task()) is not None:
                # The other sessions are credited, and wait for none of these.
                self._under_way[task] = {}
            await asyncio.wait(applying)

    async def _credit_together(self, heartbeats: Sequence[Heartbeat]) -> Sequence[Heartbeat]:
        """Credit heartbeats in one call; return those that have to be applied by themselves."""
        outage, ready = self._outage, list[Heartbeat]()
        for heartbeat in heartbeats:
            if outage.must_wait(heartbeat.touch.watch_id):
                outage.keep_waiting(heartbeat.touch.watch_id, heartbeat.touch.moment)
            else:
                ready.append(heartbeat)
        try:
            left = await self._sessions.acredit([heartbeat.touch for heartbeat in ready], self._process.name)
        except StoreUnavailable:
            for touch, _, _ in ready:
                outage.keep_waiting(touch.watch_id, touch.moment)
            return []
        for place, heartbeat in enumerate(ready):
            if place not in left:
                outage.seen.note_touch(heartbeat.touch)
        metrics.HEARTBEAT_BY_SOCKET.inc(len(ready) - len(left))
        return [ready[place] for place in sorted(left)]

    async def _apply(self, heartbeat: Heartbeat) -> None:
        outcome: asyncio.Future[Watched | None] = asyncio.get_running_loop().create_future()
        try:
            outcome.set_result(await heartbeat.look())
        except Exception as error:  # noqa: BLE001 - what follows deals with it
            outcome.set_exception(error)
        # What comes next of the session need not wait for that.
        self._process.start(heartbeat.follow(outcome))
