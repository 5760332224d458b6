"""The tabs of this process, by the watch they belong to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Protocol

from msgspec import Struct

logger = logging.getLogger("idlewatch")

BREATH = 100
"""Sends after which others get their turn: a send on Daphne never yields by itself."""


class Change(Struct, frozen=True):
    """What the tabs of a watch are to be told."""

    watch: str
    frame: str
    ended: bool


class Tab(Protocol):
    """One open socket."""

    async def tell(self, frame: str, *, ended: bool) -> None:
        """Send a frame; after an ended one, close."""

    async def dismiss(self) -> None:
        """Close, because the server is going away."""


class Hub:
    """Hands changes to the tabs they are about."""

    def __init__(self) -> None:
        self._tabs: dict[str, set[Tab]] = {}

    def join(self, watch: str, tab: Tab) -> None:
        """Have a tab told of what changes for its watch, from now on."""
        self._tabs.setdefault(watch, set()).add(tab)

    def leave(self, watch: str, tab: Tab) -> None:
        """Tell a tab nothing more."""
        tabs = self._tabs.get(watch, set())
        tabs.discard(tab)
        if not tabs:
            self._tabs.pop(watch, None)

    def counts(self) -> Mapping[str, int]:
        """Return how many tabs each watch has here."""
        return {watch: len(tabs) for watch, tabs in self._tabs.items()}

    async def deliver(self, changes: Iterable[Change]) -> None:
        """Tell each change to every tab of its watch."""
        told = 0
        for change in changes:
            for tab in list(self._tabs.get(change.watch, ())):
                try:
                    await tab.tell(change.frame, ended=change.ended)
                except Exception:
                    # One broken socket must not keep the news from the others.
                    logger.exception("A tab of watch %s could not be told of a change.", change.watch)
                told += 1
                if told % BREATH == 0:
                    await asyncio.sleep(0)

    async def dismiss(self) -> None:
        """Close every tab: the server is going away."""
        for tabs in list(self._tabs.values()):
            for tab in list(tabs):
                await tab.dismiss()
