"""Permission to view the live sessions: checked when the socket opens, and periodically while it is open."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeGuard

from django.db import Error as DatabaseError

from idlewatch.core.policy import Phase
from idlewatch.core.protocol import Close
from idlewatch.exceptions import StoreUnavailable, Undecided
from idlewatch.live.subscriber import Subscriber
from idlewatch.monitor import accounts, stores
from idlewatch.monitor import service as monitor
from idlewatch.permissions import may_watch
from idlewatch.process import Lane, Process, now
from idlewatch.store.values import Watched

logger = logging.getLogger("idlewatch")

PERMISSION_CHECK_INTERVAL = 4.0
"""Seconds between checks of permissions: a revoked one is noticed within five, including the round."""
TRUST_PERIOD = 15.0
"""Seconds for which a page stays open while its operator's permission cannot be checked."""


def permitted_users(users: Iterable[str]) -> set[str]:
    """Return which of these users, by primary key as a string, may view sessions."""
    return {key for key, user in accounts.by_primary_key(users).items() if may_watch(user)}


class AccessGuard:
    """Closes the pages of operators whose session ended, or whose permission was revoked.

    Fails closed: a page is closed as well if neither can be checked for too long.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self._clock = process.clock
        self._confirmed_at: dict[Subscriber, float] = {}
        """When each operator's session and permission were last confirmed."""
        self._checked_at = float("-inf")
        self._is_failing = False

    def admit(self, subscriber: Subscriber) -> None:
        """Guard the page of an operator whose permission has just been checked."""
        self._confirmed_at[subscriber] = self._clock.ticks()

    def release(self, subscriber: Subscriber) -> None:
        """Forget a page."""
        self._confirmed_at.pop(subscriber, None)

    async def check(self) -> None:
        """Check the sessions of all operators and, from time to time, their permissions."""
        subscribers = list(self._confirmed_at)
        try:
            await self._check_sessions(subscribers)
            if self._clock.ticks() - self._checked_at >= PERMISSION_CHECK_INTERVAL:
                await self._check_permissions([subscriber for subscriber in subscribers if not subscriber.is_closed])
        except (DatabaseError, StoreUnavailable, Undecided) as error:
            if not self._is_failing:
                logger.warning("The operators' permissions cannot be checked (%s).", type(error).__name__)
            self._is_failing = True
        else:
            self._is_failing = False

    def unconfirmed(self) -> Sequence[Subscriber]:
        """Return the pages whose operators could not be checked for too long."""
        limit = self._clock.ticks() - TRUST_PERIOD
        return [subscriber for subscriber, ticks in self._confirmed_at.items() if ticks < limit]

    async def _check_sessions(self, subscribers: Sequence[Subscriber]) -> None:
        sessions = await _read_sessions({subscriber.watch_id for subscriber in subscribers})
        for subscriber in subscribers:
            watched = sessions[subscriber.watch_id]
            if not _is_live(watched) or watched.user != subscriber.user:
                subscriber.close(Close.ENDED)

    async def _check_permissions(self, subscribers: Sequence[Subscriber]) -> None:
        ticks = self._clock.ticks()
        users = {subscriber.user for subscriber in subscribers}
        permitted = await self._process.threads.run(Lane.LIVE, permitted_users, users)
        self._checked_at = ticks
        for subscriber in subscribers:
            if subscriber.user not in permitted:
                subscriber.close(Close.FORBIDDEN)
            elif subscriber in self._confirmed_at:
                self._confirmed_at[subscriber] = ticks


async def _read_sessions(watch_ids: Iterable[str]) -> Mapping[str, Watched | None]:
    """Return these sessions; reading them is no activity."""
    wanted = list(watch_ids)
    try:
        known = list(await stores.current().sessions.aget_many(wanted))
    except StoreUnavailable:
        known = [None for _ in wanted]
    # If the store is unavailable, new and empty, or yet to receive what it missed, the records know better.
    return {
        watch_id: watched if _is_live(watched) else await monitor.alook(watch_id, now())
        for watch_id, watched in zip(wanted, known, strict=True)
    }


def _is_live(watched: Watched | None) -> TypeGuard[Watched]:
    return watched is not None and watched.verdict(now()).phase is not Phase.ENDED
