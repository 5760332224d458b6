"""Whether an operator may watch: asked at the door, and again and again while the socket is open."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeGuard

from django.db import Error as DatabaseError

from idlewatch.core.policy import Phase
from idlewatch.core.protocol import Close
from idlewatch.exceptions import StoreUnavailable, Undecided
from idlewatch.live.subscriber import Subscriber
from idlewatch.monitor import accounts
from idlewatch.monitor import service as monitor
from idlewatch.permissions import may_watch
from idlewatch.process import Lane, Process, now
from idlewatch.store.values import Watched

logger = logging.getLogger("idlewatch")

EVERY = 4.0
"""Seconds between looks at the rights: one that was taken away is noticed within five, with the round it falls into."""
TRUSTED = 15.0
"""Seconds for which an operator is trusted on while nobody can look at the right."""


def permitted(users: Iterable[str]) -> set[str]:
    """Return which of these accounts, by primary key as text, may watch."""
    return {key for key, user in accounts.by_primary_key(users).items() if may_watch(user)}


class AccessGuard:
    """Sends operators away whose session ended, or who lost the right.

    Fails closed: who can't be vouched for is sent away as well, after a while.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self._clock = process.clock
        self._vouched: dict[Subscriber, float] = {}
        """When it was known for the last time that each has a session, and the right."""
        self._asked_at = float("-inf")
        self._is_troubled = False

    def admit(self, viewer: Subscriber) -> None:
        """Know an operator who was just found to have the right."""
        self._vouched[viewer] = self._clock.ticks()

    def release(self, viewer: Subscriber) -> None:
        """Know an operator no more."""
        self._vouched.pop(viewer, None)

    async def look(self) -> None:
        """Ask once whether everybody's session lives, and from time to time for their rights."""
        viewers = list(self._vouched)
        try:
            await self._look_at_sessions(viewers)
            if self._clock.ticks() - self._asked_at >= EVERY:
                await self._look_at_rights([viewer for viewer in viewers if not viewer.is_gone])
        except (DatabaseError, StoreUnavailable, Undecided) as error:
            if not self._is_troubled:
                logger.warning("Nobody can tell who may watch the sessions (%s).", type(error).__name__)
            self._is_troubled = True
        else:
            self._is_troubled = False

    def doubted(self) -> Sequence[Subscriber]:
        """Return the operators of whom nobody could tell for too long whether they may watch."""
        limit = self._clock.ticks() - TRUSTED
        return [each for each, at in self._vouched.items() if at < limit]

    async def _look_at_sessions(self, viewers: Sequence[Subscriber]) -> None:
        known = await _sessions({viewer.watch_id for viewer in viewers})
        for viewer in viewers:
            if not _lives(watched := known[viewer.watch_id]) or watched.user != viewer.user:
                viewer.shut(Close.ENDED)

    async def _look_at_rights(self, viewers: Sequence[Subscriber]) -> None:
        at = self._clock.ticks()
        allowed = await self._process.threads.run(Lane.LIVE, permitted, {viewer.user for viewer in viewers})
        self._asked_at = at
        for viewer in viewers:
            if viewer.user not in allowed:
                viewer.shut(Close.FORBIDDEN)
            elif viewer in self._vouched:
                self._vouched[viewer] = at


async def _sessions(watches: Iterable[str]) -> Mapping[str, Watched | None]:
    """Look at sessions without touching them."""
    wanted = list(watches)
    try:
        found = list(await monitor.store().sessions.aget_many(wanted))
    except StoreUnavailable:
        found = [None for _ in wanted]
    # While the store is away, was new and empty, or has not heard what was missed, the records know better.
    return {
        watch_id: watched if _lives(watched) else await monitor.alook(watch_id, now())
        for watch_id, watched in zip(wanted, found, strict=True)
    }


def _lives(watched: Watched | None) -> TypeGuard[Watched]:
    return watched is not None and watched.verdict(now()).phase is not Phase.ENDED
