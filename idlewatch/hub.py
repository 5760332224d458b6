"""The tabs of this process, by the watch they belong to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from threading import Lock
from typing import Any, NamedTuple, Protocol
from weakref import WeakSet

from channels.layers import BaseChannelLayer, get_channel_layer
from django.core.exceptions import ImproperlyConfigured
from msgspec import Struct
from msgspec.structs import astuple

from idlewatch.activity import Reason
from idlewatch.policy import FRESH, Phase, Shown
from idlewatch.process import PROCESS
from idlewatch.store.base import Watched

logger = logging.getLogger("idlewatch")

BREATH = 100
"""Sends after which others get their turn: a send on Daphne never yields by itself."""
GROUP = "idlewatch.hubs"
"""The one group of the channel layer: its members are the hubs, one for each process."""
KIND = "idlewatch.changes"
NOTICE = "idlewatch.notice"
"""What an operator has to say, for the tabs of some watches; each process answers with how many of them it told."""
ANSWER = "idlewatch.answer"
REJOIN = 30.0
"""Seconds between joins: far below `group_expiry`, and soon after a Redis has lost its data."""
PAUSE = 1.0
"""Seconds before a channel layer that failed is asked again."""
FAREWELL = 3.0
"""Seconds that a process waits, at most, for the tabs it sent away to have gone."""
PATIENCE = 2.0
"""Seconds that one tab may keep the others waiting, where a server's send waits for the client to read."""
READ_WITHIN = 1.0
"""Seconds in which a tab takes a notice, or was not reached: somebody waits for the answer."""
SENT_WITHIN = 3.0
"""Seconds for which a channel layer may take a message."""


class Change(Struct, frozen=True):
    """What the tabs of a watch are to be told."""

    watch: str
    frame: str
    ended: bool
    shown: Shown
    """What the frame says, for telling whether tabs were told."""


class Answer(NamedTuple):
    """What another process says of a notice."""

    process: str
    part: int
    """Which of the messages it is about, where a notice took several."""
    told: int
    """How many tabs took the notice."""


class Tab(Protocol):
    """One open socket."""

    async def tell(self, frame: str, *, ended: bool) -> None:
        """Send a frame; after an ended one, close."""

    async def dismiss(self) -> None:
        """Close, because the server is going away."""


class Guest(Protocol):
    """One open socket that is no tab: that of an operator who watches."""

    async def dismiss(self) -> None:
        """Close, because the server is going away."""


class Hub:
    """Hands changes to the tabs they are about."""

    def __init__(self) -> None:
        self._tabs: dict[str, set[Tab]] = {}
        self._guests: set[Guest] = set()
        self._active: dict[str, float] = {}
        self._told: dict[str, Shown] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._passed_on: set[asyncio.Task[None]] = set()
        self._asked: dict[str, asyncio.Queue[Answer]] = {}
        self.channel: str | None = None
        """Where other processes answer this hub; None while it hears nobody."""
        self._emptied: asyncio.Event | None = None
        self.dismissed = False
        """The server is going away: a tab that joins now is sent away by itself."""
        with _registering:
            _hubs.add(self)

    def join(self, watch: str, tab: Tab) -> None:
        """Have a tab told of what changes for its watch, from now on."""
        self._loop = asyncio.get_running_loop()
        self._tabs.setdefault(watch, set()).add(tab)

    def leave(self, watch: str, tab: Tab) -> None:
        """Tell a tab nothing more."""
        tabs = self._tabs.get(watch, set())
        tabs.discard(tab)
        if not tabs:
            self._tabs.pop(watch, None)
            self._active.pop(watch, None)
            self._told.pop(watch, None)
        self._note_emptied()

    def admit(self, guest: Guest) -> None:
        """Have a socket that is no tab sent away with the tabs; it counts for no session, and is told of none."""
        self._guests.add(guest)

    def release(self, guest: Guest) -> None:
        """Know such a socket no more."""
        self._guests.discard(guest)
        self._note_emptied()

    def _note_emptied(self) -> None:
        if not self._tabs and not self._guests and self._emptied is not None:
            self._emptied.set()

    def note(self, watched: Watched) -> None:
        """Note when a session's user was last seen to act, for a store that loses its data."""
        if watched.id in self._tabs:
            active = watched.activity.active
            self._active[watched.id] = max(active, self._active.get(watched.id, active))

    def has_told(self, change: Change) -> bool:
        """Tell whether the tabs of a watch were told this, or are told it now for all anybody knows."""
        return self._told.get(change.watch, FRESH) == change.shown

    def tabs(self) -> Mapping[str, tuple[int, float]]:
        """Return how many tabs each watch has here, and when its user was last seen to act."""
        return {watch: (len(tabs), self._active.get(watch, 0.0)) for watch, tabs in self._tabs.items()}

    async def listen(self) -> None:
        """Hear what other processes publish, until cancelled."""
        while True:
            try:
                await self._listen(get_channel_layer())
            except Exception as error:  # noqa: BLE001 - what a layer raises is its own affair
                # A push is a hint: what is missed, the timer finds out by itself.
                logger.warning("The channel layer can't be heard (%s); trying again.", type(error).__name__)
            await asyncio.sleep(PAUSE)

    async def _listen(self, layer: BaseChannelLayer | None) -> None:
        if layer is None:
            raise ImproperlyConfigured("There is no channel layer; expected CHANNEL_LAYERS to have 'default'.")
        channel = await layer.new_channel()
        async with staying(layer, channel):
            self.channel = channel
            try:
                while True:
                    message = await layer.receive(channel)
                    if message["process"] != PROCESS:
                        await self._take(layer, message)
            finally:
                self.channel = None

    async def _take(self, layer: BaseChannelLayer, message: Mapping[str, Any]) -> None:
        """Do what another process says; what this version does not know is not for it."""
        if message["type"] == KIND:
            await self._tell([change_from(change) for change in message["changes"]])
        elif message["type"] == NOTICE:
            # Changes that come meanwhile do not wait for it.
            self._begin(self._answer(layer, message))
        elif message["type"] == ANSWER and message["notice"] in self._asked:
            self._asked[message["notice"]].put_nowait(Answer(message["process"], message["part"], message["told"]))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._passed_on.add(task)
        task.add_done_callback(self._passed_on.discard)

    async def _answer(self, layer: BaseChannelLayer, message: Mapping[str, Any]) -> None:
        """Show a notice from another process, and say how many tabs took it."""
        told = await self.show(message["watches"], message["frame"])
        about = {"notice": message["notice"], "part": message["part"]}
        try:
            async with asyncio.timeout(SENT_WITHIN):
                await layer.send(message["reply"], {"type": ANSWER, "process": PROCESS, "told": told, **about})
        except Exception as error:  # noqa: BLE001 - what a layer raises is its own affair
            # The operator is told of fewer tabs than there are.
            logger.warning("How many tabs a notice reached could not be said (%s).", type(error).__name__)

    @contextmanager
    def hearing(self, notice: str) -> Iterator[asyncio.Queue[Answer]]:
        """Collect what other processes answer to a notice."""
        answers = self._asked[notice] = asyncio.Queue()
        try:
            yield answers
        finally:
            del self._asked[notice]

    async def show(self, watches: Iterable[str], frame: str) -> int:
        """Show a notice in every tab of these watches on this process; return how many tabs took it."""
        wanted = list(watches)
        with _registering:
            hubs = [hub for hub in _hubs if hub._tabs]
        return sum(await asyncio.gather(*(hub._show_there(wanted, frame) for hub in hubs)))

    async def _show_there(self, watches: Sequence[str], frame: str) -> int:
        """Show a notice from whatever event loop."""
        loop = self._loop
        if loop is None or loop is asyncio.get_running_loop():
            return await self._show(watches, frame)
        showing = self._show(watches, frame)
        try:
            there = asyncio.run_coroutine_threadsafe(showing, loop)
        except RuntimeError:
            # A loop that is closed took its sockets with it.
            showing.close()
            return 0
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                return await asyncio.wrap_future(there)
        return 0

    async def _show(self, watches: Sequence[str], frame: str) -> int:
        tabs = [tab for watch in watches for tab in self._tabs.get(watch, ())]
        told = 0
        for start in range(0, len(tabs), BREATH):
            told += sum(await asyncio.gather(*(_show_to(tab, frame) for tab in tabs[start : start + BREATH])))
        return told

    async def deliver(self, changes: Iterable[Change]) -> None:
        """Tell each change to every tab of its watch, also to those that another event loop of this process serves."""
        news = list(changes)
        with _registering:
            others = [hub for hub in _hubs if hub is not self and hub._tabs]
        for hub in others:
            hub._hear(news)
        await self._tell(news)

    def _hear(self, news: Sequence[Change]) -> None:
        """Have this hub's own loop tell its tabs."""
        loop = self._loop
        if loop is None or loop is asyncio.get_running_loop():
            return

        # A loop that is closed took its sockets with it.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(lambda: self._begin(self._tell(news)))

    async def _tell(self, news: Sequence[Change]) -> None:
        told = 0
        for change in news:
            if change.watch in self._tabs:
                self._told[change.watch] = change.shown
            for tab in list(self._tabs.get(change.watch, ())):
                try:
                    async with asyncio.timeout(PATIENCE):
                        await tab.tell(change.frame, ended=change.ended)
                except Exception:
                    # One broken socket must not keep the news from the others.
                    logger.exception("A tab of watch %s could not be told of a change.", change.watch)
                told += 1
                if told % BREATH == 0:
                    await asyncio.sleep(0)

    async def dismiss(self) -> None:
        """Close every tab and every guest, and any that still comes: the server is going away."""
        self.dismissed = True
        # Without a pause: Daphne ends its applications as soon as anything else gets its turn.
        for watch, tabs in list(self._tabs.items()):
            for tab in list(tabs):
                try:
                    await tab.dismiss()
                except Exception:
                    # The others are to come back by themselves, and the sessions to be written down.
                    logger.exception("A tab of watch %s could not be sent away.", watch)
        for guest in list(self._guests):
            try:
                await guest.dismiss()
            except Exception:
                logger.exception("An operator's live page could not be sent away.")
        await self._see_off()

    async def _see_off(self) -> None:
        """Wait for them to have gone: one that is cut off before it was told sees a broken connection."""
        if self._tabs or self._guests:
            self._emptied = asyncio.Event()
            with suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL):
                    await self._emptied.wait()


@asynccontextmanager
async def staying(layer: BaseChannelLayer, channel: str) -> AsyncIterator[None]:
    """Stay in the group, also when the membership expires or the layer forgets it."""

    async def stay() -> None:
        while True:
            # In an outage this fails, and the next one counts.
            with suppress(Exception):
                async with asyncio.timeout(REJOIN):
                    await layer.group_add(GROUP, channel)
            await asyncio.sleep(REJOIN)

    task = asyncio.create_task(stay())
    try:
        yield
    finally:
        task.cancel()


async def _show_to(tab: Tab, frame: str) -> bool:
    try:
        async with asyncio.timeout(READ_WITHIN):
            await tab.tell(frame, ended=False)
    except Exception:
        # One broken socket must not keep the notice from the others.
        logger.exception("A tab could not be shown a notice.")
        return False
    return True


def message_of(changes: Sequence[Change]) -> dict[str, object]:
    """Return the message that tells other processes of changes."""
    return {"type": KIND, "process": PROCESS, "changes": [list(astuple(change)) for change in changes]}


def change_from(told: Sequence[Any]) -> Change:
    """Return a change as a message tells it."""
    watch, frame, ended, (phase, reason, extendable) = told
    shown = Shown(Phase(phase), None if reason is None else Reason(reason), extendable)
    return Change(watch, frame, ended, shown)


def tabs_here() -> Mapping[str, tuple[int, float]]:
    """Return how many tabs each watch has in this process, and when its user was last seen to act."""
    found: dict[str, tuple[int, float]] = {}
    with _registering:
        hubs = list(_hubs)
    for hub in hubs:
        for watch, (count, active) in hub.tabs().items():
            before, seen = found.get(watch, (0, 0.0))
            found[watch] = (before + count, max(seen, active))
    return found


_hubs: WeakSet[Hub] = WeakSet()
_registering = Lock()
