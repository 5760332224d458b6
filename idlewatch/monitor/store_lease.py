"""The lease on the memory store: two web processes with one each would judge by different facts."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

from django.db import DatabaseError, IntegrityError, router, transaction
from django.db.models import QuerySet

from idlewatch.conf.declaration import DOCUMENTATION
from idlewatch.core.clock import as_datetime
from idlewatch.exceptions import StoreElsewhere
from idlewatch.models import StoreOwner
from idlewatch.process import Process, in_tests, lives_here

logger = logging.getLogger("idlewatch")

OWNER_LEASE = 15.0
"""Seconds after which an owner on another host that did not renew its lease is considered dead."""
MAX_UNRENEWED_ROUNDS = 12
"""Rounds in a row without a renewal after which an owner is considered dead, on any host."""
TRUST_PERIOD = 8.0
"""Seconds after a renewal in which no other process can have taken the store: less than those rounds take."""


class StoreLease:
    """The lease of a process on the memory store, and what the process has seen of another owner. Thread-safe.

    The timer renews it once a round. Requests do not wait for the timer: the first one claims the store, and in a
    process without the store each one checks whether the owner is gone. The clocks of two processes are compared only
    if they run on different hosts.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self._name = process.name
        self._clock = process.clock
        self._claiming = Lock()
        self._on_loss: Callable[[], None] = lambda: None
        self._claimed_at: float | None = None
        """When this process last found the store to be its own, by the clock's ticks."""
        self._is_renewed = False
        """Whether a timer of this process renews the lease."""
        self._last_seen: tuple[str, datetime] | None = None
        self._unrenewed_rounds = 0
        self._is_absence_logged = False
        """Whether it was logged that no timer runs here."""
        self.owner: StoreOwner | None = None
        """The other process that owns the store, if this one has seen it."""
        self.terms = 0
        """How many times this process has taken the store back from another one."""

    @property
    def is_held(self) -> bool:
        """Whether this process has claimed the store and seen no other owner since; False in a command."""
        return self._claimed_at is not None and self.owner is None

    @property
    def is_doubtful(self) -> bool:
        """Whether another process may have taken the store since the last renewal, as when this one was suspended."""
        if self._claimed_at is None or not self._is_renewed:
            return False
        return self._clock.ticks() - self._claimed_at >= TRUST_PERIOD

    def on_loss(self, callback: Callable[[], None]) -> None:
        """Call `callback` when another process has the store: what this one has in memory is out of date then."""
        self._on_loss = callback

    def renew(self, now: float) -> StoreOwner | None:
        """Renew the lease, or claim it; return the other process that owns the store, if there is one.

        Call it once a round: it counts the rounds in which another owner has not renewed its lease.
        """
        self._is_renewed = True
        self._claim(now, is_round=True)
        return self.owner

    def ensure(self, now: float, *, in_view: bool = False) -> None:
        """Check that the store belongs to this process, and claim it if that is not certain.

        `in_view`: the project's view may have a transaction open; nothing is claimed inside one.

        Raises:
            StoreElsewhere: it belongs to another process.
        """
        if self._claimed_at is not None and self.owner is None and not self.is_doubtful:
            return
        try:
            if in_view and transaction.get_connection(router.db_for_write(StoreOwner)).in_atomic_block:
                self._look_for_owner(now)
            else:
                self._claim(now)
        except DatabaseError:
            if self._claimed_at is None:
                raise
        self._report_missing_timer()
        self.check()

    def _report_missing_timer(self) -> None:
        """Log, once, that sessions end late and restarts lose activity, if nothing runs beside the requests."""
        # Tests go through no application.
        if not (self._process.is_served or self._is_absence_logged or in_tests()):
            self._is_absence_logged = True
            logger.error(
                "No timer runs in this process, because its application is not wrapped by idlewatch.asgi.watched or "
                "idlewatch.wsgi.watched: sessions end at their next request only, and a restart loses activity. See "
                "%s",
                f"{DOCUMENTATION}/api.md#under-wsgi",
            )

    def check(self) -> None:
        """Check that no other owner of the store has been seen, without asking the database.

        Raises:
            StoreElsewhere: one has.
        """
        owner = self.owner
        if owner is not None:
            raise StoreElsewhere(_refusal(owner))

    def release(self) -> None:
        """Release the store, so that the next process need not wait."""
        self._mine().delete()

    def _claim(self, now: float, *, is_round: bool = False) -> None:
        with self._claiming:
            ticks = self._clock.ticks()
            try:
                owner = self._acquire(now, is_round=is_round)
            except DatabaseError:
                if self.is_held:
                    # No other process can take the store meanwhile.
                    self._claimed_at = ticks
                raise
            if owner is not None:
                self._yield_to(owner)
                return
            self._claimed_at = ticks
            if self.owner is not None:
                self.owner = None
                self.terms += 1
                logger.warning("The memory store belongs to this process now.")

    def _look_for_owner(self, now: float) -> None:
        """Check by the database alone that no other process owns the store.

        In a transaction of the project: a claim, which holds the lock, may wait for the end of that.
        """
        owner = StoreOwner.objects.first()
        if owner is not None and not self._is_mine(owner) and not self._is_dead(owner, now):
            raise StoreElsewhere(_refusal(owner))

    def _yield_to(self, owner: StoreOwner) -> None:
        if self.owner is None:
            logger.error(_refusal(owner))
        self.owner = owner
        self._on_loss()

    def _is_mine(self, owner: StoreOwner) -> bool:
        return (owner.process, owner.pid) == (self._name, os.getpid())

    def _mine(self) -> QuerySet[StoreOwner]:
        # A process that was given its name may have had a predecessor of the same name.
        return StoreOwner.objects.filter(process=self._name, pid=os.getpid())

    def _acquire(self, now: float, *, is_round: bool) -> StoreOwner | None:
        """Renew this process's row, or make it the owner's; return the other process that is the owner, if any."""
        mine = {"host": socket.gethostname(), "pid": os.getpid(), "process": self._name, "renewed": as_datetime(now)}
        if self._mine().update(renewed=mine["renewed"]):
            return None
        owner = StoreOwner.objects.first()
        if owner is None:
            try:
                with transaction.atomic(using=router.db_for_write(StoreOwner)):
                    StoreOwner.objects.create(**mine)
            except IntegrityError:
                return self._owner_after_race(now)
            return None
        if not (self._is_dead(owner, now) or (is_round and self._has_stalled(owner))):
            return owner
        # Of two processes that take over, the one whose statement still finds the dead owner's row wins.
        dead = StoreOwner.objects.filter(process=owner.process, pid=owner.pid, renewed=owner.renewed)
        won = dead.update(**mine)
        return None if won else self._owner_after_race(now)

    def _owner_after_race(self, now: float) -> StoreOwner | None:
        """Return the owner that was faster; try again if it has released the store already."""
        return StoreOwner.objects.first() or self._acquire(now, is_round=False)

    def _is_dead(self, owner: StoreOwner, now: float) -> bool:
        if owner.host == socket.gethostname():
            return not self._is_running(owner)
        return owner.renewed < as_datetime(now) - timedelta(seconds=OWNER_LEASE)

    def _has_stalled(self, owner: StoreOwner) -> bool:
        """Count this round, and return whether the owner has not renewed its lease for too many."""
        sign = owner.process, owner.renewed
        self._unrenewed_rounds = self._unrenewed_rounds + 1 if sign == self._last_seen else 0
        self._last_seen = sign
        return self._unrenewed_rounds >= MAX_UNRENEWED_ROUNDS

    def _is_running(self, owner: StoreOwner) -> bool:
        if owner.pid == os.getpid():
            # An earlier process had the same pid; but one that took the store from this process is alive.
            return self._claimed_at is not None or lives_here(owner.process)
        try:
            os.kill(owner.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


def _refusal(owner: StoreOwner) -> str:
    return (
        f"The memory store supports one process, and belongs to {owner}: stop this process, or use a shared STORE such "
        "as the Redis store."
    )
