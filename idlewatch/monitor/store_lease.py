"""The lease on the memory store: a second web process with one would judge by facts of its own."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

from django.db import DatabaseError, IntegrityError, router, transaction
from django.db.models import QuerySet

from idlewatch.core.clock import as_datetime
from idlewatch.exceptions import StoreElsewhere
from idlewatch.models import StoreOwner
from idlewatch.process import Process, lives_here

logger = logging.getLogger("idlewatch")

OWNER_LEASE = 15.0
"""Seconds after which an owner on another host that did not renew its lease is considered dead."""
MAX_UNCHANGED_LOOKS = 12
"""Looks, one a round, after which an owner that did not renew its lease meanwhile is considered dead on any host."""
TRUST_PERIOD = 8.0
"""Seconds after a renewal in which no other process can have taken the store: less than those looks take."""


class StoreLease:
    """The lease of a process on the memory store, and what the process has seen of another owner. Thread-safe.

    The timer renews it once a round. Requests do not wait for that: the first one claims the store, and one that comes
    to a process without the store looks whether the owner is gone by now. It needs no clock of another process.
    """

    def __init__(self, process: Process) -> None:
        self._name = process.name
        self._clock = process.clock
        self._claiming = Lock()
        self._forget: Callable[[], None] = lambda: None
        self._claimed_at: float | None = None
        """By the clock's ticks: when this process last knew that the store is its own."""
        self._is_renewed = False
        """A timer of this process renews the lease."""
        self._seen: tuple[str, datetime] | None = None
        self._looks = 0
        self.owner: StoreOwner | None = None
        """The other process that owns the store, as far as this one knows."""
        self.terms = 0
        """How often the store came back to this process from another one."""

    @property
    def is_held(self) -> bool:
        """Whether this process owns the store, as far as it knows: a command never does."""
        return self._claimed_at is not None and self.owner is None

    @property
    def is_doubtful(self) -> bool:
        """Whether another process may have taken the store since the last renewal: this one was stopped, say."""
        if self._claimed_at is None or not self._is_renewed:
            return False
        return self._clock.ticks() - self._claimed_at >= TRUST_PERIOD

    def on_loss(self, forget: Callable[[], None]) -> None:
        """Call `forget` when another process has the store: what this one has in its memory is worth nothing then."""
        self._forget = forget

    def renew(self, now: float) -> StoreOwner | None:
        """Renew the lease, or claim it; return the other process that owns the store, if there is one.

        Call it once a round: a live owner renews its lease as often.
        """
        self._is_renewed = True
        self._claim(now, is_round=True)
        return self.owner

    def ensure(self, now: float, *, in_view: bool = False) -> None:
        """Check that the store belongs to this process, and claim it where that is not certain.

        `in_view`: the project's view may have a transaction open, in which nothing is claimed.

        Raises:
            StoreElsewhere: it belongs to another process.
        """
        if not self.is_held or self.is_doubtful:
            try:
                if in_view and transaction.get_connection(router.db_for_write(StoreOwner)).in_atomic_block:
                    self._look(now)
                else:
                    self._claim(now)
            except DatabaseError:
                if self._claimed_at is None:
                    raise
        self.check()

    def check(self) -> None:
        """Check that the store does not belong to another process, as far as this one knows.

        Raises:
            StoreElsewhere: it does.
        """
        owner = self.owner
        if owner is not None:
            raise StoreElsewhere(_explain(owner))

    def release(self) -> None:
        """Give the store up, so that the next process need not wait."""
        self._mine().delete()

    def _claim(self, now: float, *, is_round: bool = False) -> None:
        with self._claiming:
            ticks = self._clock.ticks()
            try:
                owner = self._try(now, is_round=is_round)
            except DatabaseError:
                if self.is_held:
                    # No other process can take the store meanwhile.
                    self._claimed_at = ticks
                raise
            if owner is not None:
                self._lose(owner)
                return
            self._claimed_at = ticks
            if self.owner is not None:
                self.owner = None
                self.terms += 1
                logger.warning("The memory store belongs to this process now.")

    def _look(self, now: float) -> None:
        with self._claiming:
            owner = StoreOwner.objects.first()
            if owner is not None and not self._is_mine(owner) and not self._is_dead(owner, now):
                self._lose(owner)

    def _lose(self, owner: StoreOwner) -> None:
        if self.owner is None:
            logger.error(_explain(owner))
        self.owner = owner
        self._forget()

    def _is_mine(self, owner: StoreOwner) -> bool:
        return (owner.process, owner.pid) == (self._name, os.getpid())

    def _mine(self) -> QuerySet[StoreOwner]:
        # Forks of one process have the name that it was given before.
        return StoreOwner.objects.filter(process=self._name, pid=os.getpid())

    def _try(self, now: float, *, is_round: bool) -> StoreOwner | None:
        mine = {"host": socket.gethostname(), "pid": os.getpid(), "process": self._name, "renewed": as_datetime(now)}
        if self._mine().update(renewed=mine["renewed"]):
            return None
        owner = StoreOwner.objects.first()
        if owner is None:
            try:
                with transaction.atomic(using=router.db_for_write(StoreOwner)):
                    StoreOwner.objects.create(**mine)
            except IntegrityError:
                return self._faster(now)
            return None
        if not (self._is_dead(owner, now) or (is_round and self._gives_up(owner))):
            return owner
        # Of two heirs, the one whose statement still finds the dead owner as it was wins.
        dead = StoreOwner.objects.filter(process=owner.process, pid=owner.pid, renewed=owner.renewed)
        won = dead.update(**mine)
        return None if won else self._faster(now)

    def _faster(self, now: float) -> StoreOwner | None:
        """Return the process that was faster; where it gave the store up again already, try once more."""
        return StoreOwner.objects.first() or self._try(now, is_round=False)

    def _is_dead(self, owner: StoreOwner, now: float) -> bool:
        if owner.host == socket.gethostname():
            return not self._runs(owner)
        return owner.renewed < as_datetime(now) - timedelta(seconds=OWNER_LEASE)

    def _gives_up(self, owner: StoreOwner) -> bool:
        sign = owner.process, owner.renewed
        self._looks = self._looks + 1 if sign == self._seen else 0
        self._seen = sign
        return self._looks >= MAX_UNCHANGED_LOOKS

    def _runs(self, owner: StoreOwner) -> bool:
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


def _explain(owner: StoreOwner) -> str:
    return (
        f"The memory store supports one process, and belongs to {owner}: stop this process, or use a shared STORE such "
        "as the Redis store."
    )
