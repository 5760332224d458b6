"""The tabs of this process, by their session."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any, Protocol
from weakref import WeakSet

from idlewatch.core.policy import UNWARNED, Shown
from idlewatch.process import Process
from idlewatch.runtime.changes import Change
from idlewatch.runtime.fan_out import FanOut, Sends

logger = logging.getLogger("idlewatch")

DRAIN_TIMEOUT = 3.0
"""Seconds that a process waits, at most, for the tabs that it closed to be gone."""
TAB_TIMEOUT = 2.0
"""Seconds in which a tab takes a change, where a server's send waits for the client to read, or is closed."""
NOTICE_TIMEOUT = 1.0
"""Seconds in which a tab takes a notice, or counts as not reached: an operator waits for the count."""


class Guest(Protocol):
    """One open socket that is no tab: that of an operator who watches."""

    def dismiss(self) -> Coroutine[Any, Any, None]:
        """Expect, from the call on, to be closed because the server is going away; return what closes the socket."""


class Tab(Guest, Protocol):
    """One open socket."""

    def tell(self, frame: str, *, ended: bool) -> Awaitable[None]:
        """Return what sends a frame; after an ended one, it closes the socket."""

    async def drop(self) -> None:
        """Close, because the client does not read."""


class Hubs:
    """The hubs of a process, one for each event loop. Thread-safe."""

    def __init__(self, process: Process) -> None:
        self._hubs: WeakSet[Hub] = WeakSet()
        self._registering = Lock()

    def add(self, hub: Hub) -> None:
        """Register a hub for as long as it is referenced."""
        with self._registering:
            self._hubs.add(hub)

    def all(self) -> Sequence[Hub]:
        """Return every hub."""
        with self._registering:
            return list(self._hubs)

    def count(self, watch_id: str) -> int:
        """Return how many tabs a session has in this process."""
        return sum(hub.count(watch_id) for hub in self.all())

    def tabs(self) -> Mapping[str, int]:
        """Return how many tabs each session has in this process."""
        found = Counter[str]()
        for hub in self.all():
            found.update(hub.tabs())
        return found


class Hub:
    """Hands changes and notices to the tabs they are about."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._clock = process.clock
        self._hubs = process.part(Hubs)
        self._fan_out = FanOut[Any](process)
        self._tabs: dict[str, set[Tab]] = {}
        self._guests: set[Guest] = set()
        self._uncounted: Counter[str] = Counter()
        self._told: dict[str, Shown | None] = {}
        """What the tabs of a session show; None: not all of them the same, perhaps."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._telling: dict[Tab, list[Change]] = {}
        """The tabs that are being sent a change: that one, and those that came for them meanwhile."""
        self._emptied: asyncio.Event | None = None
        self.dismissed = False
        """The server is shutting down: a tab that joins now is closed at once."""
        self._hubs.add(self)

    def join(self, watch_id: str, tab: Tab) -> None:
        """Notify a tab of the changes of its session, from now on."""
        self._loop = asyncio.get_running_loop()
        self._tabs.setdefault(watch_id, set()).add(tab)

    def leave(self, watch_id: str, tab: Tab) -> None:
        """Stop notifying a tab."""
        tabs = self._tabs.get(watch_id, set())
        tabs.discard(tab)
        if not tabs:
            self._tabs.pop(watch_id, None)
            self._told.pop(watch_id, None)
        self._note_emptied()

    @contextmanager
    def counting(self, watch_id: str) -> Iterator[None]:
        """Count a report to the store as in progress: a tab came or went."""
        self._uncounted[watch_id] += 1
        try:
            yield
        finally:
            self._uncounted[watch_id] -= 1
            if not self._uncounted[watch_id]:
                del self._uncounted[watch_id]

    def is_counting(self, watch_id: str) -> bool:
        """Return whether a report of a tab that came or went is in progress."""
        return watch_id in self._uncounted

    def admit(self, guest: Guest) -> None:
        """Add a socket that is no tab: it is closed with the tabs, counts for no session, and receives no changes."""
        self._guests.add(guest)

    def release(self, guest: Guest) -> None:
        """Remove such a socket."""
        self._guests.discard(guest)
        self._note_emptied()

    def _note_emptied(self) -> None:
        if not self._tabs and not self._guests and self._emptied is not None:
            self._emptied.set()

    def note_shown(self, watch_id: str, shown: Shown) -> None:
        """Note what one tab was shown: what is not settled yet, or was by the record alone, no change need follow."""
        if watch_id in self._tabs and self._told.get(watch_id, UNWARNED) != shown:
            self._told[watch_id] = None

    def shows_warning(self, watch_id: str) -> bool:
        """Return whether the tabs of a session show more than that it is active, or may."""
        return self._told.get(watch_id, UNWARNED) != UNWARNED

    def has_told(self, change: Change) -> bool:
        """Return whether the tabs of a session show this, as far as this process knows."""
        return self._told.get(change.watch_id, UNWARNED) == change.shown

    def count(self, watch_id: str) -> int:
        """Return how many tabs a session has here."""
        return len(self._tabs.get(watch_id, ()))

    def tabs(self) -> Mapping[str, int]:
        """Return how many tabs each session has here."""
        # A copy, which is made in one step: the thread of another event loop may ask while tabs come and go.
        return {watch_id: len(tabs) for watch_id, tabs in self._tabs.copy().items()}

    async def show(self, watch_ids: Iterable[str], frame: str) -> int:
        """Show a notice in every tab of these sessions on this process; return how many tabs took it."""
        wanted = list(watch_ids)
        hubs = [hub for hub in self._hubs.all() if hub._tabs]
        return sum(await asyncio.gather(*(hub._show_there(wanted, frame) for hub in hubs)))

    async def _show_there(self, watch_ids: Sequence[str], frame: str) -> int:
        """Show a notice from any event loop."""
        loop = self._loop
        if loop is None or loop is asyncio.get_running_loop():
            return await self._show(watch_ids, frame)
        showing = self._show(watch_ids, frame)
        try:
            there = asyncio.run_coroutine_threadsafe(showing, loop)
        except RuntimeError:
            # A loop that is closed took its sockets with it.
            showing.close()
            return 0
        with suppress(TimeoutError):
            async with self._clock.timeout(TAB_TIMEOUT):
                return await asyncio.wrap_future(there)
        return 0

    async def _show(self, watch_ids: Sequence[str], frame: str) -> int:
        tabs = [tab for watch_id in watch_ids for tab in self._tabs.get(watch_id, ())]
        reached: list[Tab] = []
        waiting = await self._fan_out.send(((tab, self._show_to(tab, frame, reached)) for tab in tabs), NOTICE_TIMEOUT)
        if waiting:
            await asyncio.wait(waiting)
        return len(reached)

    async def _show_to(self, tab: Tab, frame: str, reached: list[Tab]) -> None:
        try:
            await tab.tell(frame, ended=False)
        except Exception:
            # One broken socket must not keep the notice from the others.
            logger.exception("A tab could not be shown a notice.")
        else:
            reached.append(tab)

    async def deliver(self, changes: Iterable[Change]) -> None:
        """Send each change to every tab of its session, also to those on another event loop of this process."""
        sent = list(changes)
        others = [hub for hub in self._hubs.all() if hub is not self and hub._tabs]
        for hub in others:
            hub._receive(sent)
        await self.tell(sent)

    def _receive(self, changes: Sequence[Change]) -> None:
        """Notify the tabs of this hub on its own event loop."""
        loop = self._loop
        if loop is None or loop is asyncio.get_running_loop():
            return

        # A loop that is closed took its sockets with it.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._begin, changes)

    def _begin(self, changes: Sequence[Change]) -> None:
        self._process.start(self.tell(changes))

    async def tell(self, changes: Sequence[Change]) -> None:
        """Send each change to the tabs of this hub alone; those whose clients do not read are not waited for."""
        await self._fan_out.send(self._sends(changes), TAB_TIMEOUT, self._drop)

    def _sends(self, changes: Sequence[Change]) -> Sends[Tab]:
        for change in changes:
            if (tabs := self._tabs.get(change.watch_id)) is None:
                continue
            self._told[change.watch_id] = change.shown
            for tab in tuple(tabs):
                if tab in self._telling:
                    self._telling[tab].append(change)
                else:
                    yield tab, self._tell(tab, change)

    async def _tell(self, tab: Tab, change: Change) -> None:
        changes = self._telling[tab] = [change]
        try:
            for each in changes:
                await tab.tell(each.frame, ended=each.ended)
        except Exception:
            # One broken socket must not keep the change from the others.
            logger.exception("A tab of session %s could not be notified of a change.", change.watch_id)
        finally:
            del self._telling[tab]

    async def _drop(self, tab: Tab) -> None:
        """Close a tab whose client does not read; if only its network was slow, it comes back, and reads the state."""
        logger.warning("A tab that does not read is closed.")
        await self._fan_out.send([(tab, self._close(tab.drop()))], TAB_TIMEOUT)

    async def dismiss(self) -> None:
        """Close every tab and every guest, and any that still comes: the server is shutting down."""
        self.dismissed = True
        await self.send_back()
        await self._wait_until_empty()

    async def send_back(self) -> None:
        """Close every tab and every guest that is here now; they come back, to this process or another."""
        sockets: list[Guest] = [*(tab for tabs in self._tabs.values() for tab in tabs), *self._guests]
        # Each is told to expect it before anything else gets its turn: Daphne ends its applications next.
        closes = [(each, self._close(each.dismiss())) for each in sockets]
        await self._fan_out.send(closes, TAB_TIMEOUT)

    async def _close(self, close: Coroutine[Any, Any, None]) -> None:
        try:
            await close
        except Exception:
            # The others are to come back by themselves, and the sessions to be written down.
            logger.exception("A socket could not be closed.")

    async def _wait_until_empty(self) -> None:
        """Wait until all sockets are gone: one that is cut off before its close is sent sees a broken connection."""
        if self._tabs or self._guests:
            self._emptied = asyncio.Event()
            with suppress(TimeoutError):
                async with self._clock.timeout(DRAIN_TIMEOUT):
                    await self._emptied.wait()
