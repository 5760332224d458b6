"""The lease on the memory store: a second web process with one would judge by facts of its own."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta

from django.db import IntegrityError, router, transaction
from django.db.models import QuerySet

from idlewatch.core.clock import as_datetime
from idlewatch.models import StoreOwner
from idlewatch.process import Process

OWNER_LEASE = 15.0
"""Seconds after which an owner on another host that did not renew its lease is considered dead."""
MAX_UNCHANGED_LOOKS = 15
"""Looks, one a round, after which an owner that did not renew its lease meanwhile is considered dead on any host."""


class StoreLease:
    """The lease of a process on the memory store, and what the process has seen of another owner.

    It needs no clock of another process.
    """

    def __init__(self, process: Process) -> None:
        self._name = process.name
        self._was_owner = False
        self._seen: tuple[str, datetime] | None = None
        self._looks = 0

    def claim(self, now: float) -> StoreOwner | None:
        """Become the owner, or renew the lease; return the other process that is the owner, if there is one."""
        owner = self._claim(now)
        self._was_owner = self._was_owner or owner is None
        return owner

    def release(self) -> None:
        """Give the store up, so that the next process need not wait."""
        self._mine().delete()

    def _mine(self) -> QuerySet[StoreOwner]:
        # Forks of one process have the name that it was given before.
        return StoreOwner.objects.filter(process=self._name, pid=os.getpid())

    def _claim(self, now: float) -> StoreOwner | None:
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
        if not self._is_dead(owner, now):
            return owner
        # Of two heirs, the one whose statement still finds the dead owner as it was wins.
        dead = StoreOwner.objects.filter(process=owner.process, pid=owner.pid, renewed=owner.renewed)
        won = dead.update(**mine)
        return None if won else self._faster(now)

    def _faster(self, now: float) -> StoreOwner | None:
        """Return the process that was faster; where it gave the store up again already, try once more."""
        return StoreOwner.objects.first() or self._claim(now)

    def _is_dead(self, owner: StoreOwner, now: float) -> bool:
        if self._gives_up(owner):
            return True
        if owner.host == socket.gethostname():
            return not self._runs(owner.pid)
        return owner.renewed < as_datetime(now) - timedelta(seconds=OWNER_LEASE)

    def _gives_up(self, owner: StoreOwner) -> bool:
        sign = owner.process, owner.renewed
        self._looks = self._looks + 1 if sign == self._seen else 0
        self._seen = sign
        return self._looks >= MAX_UNCHANGED_LOOKS

    def _runs(self, pid: int) -> bool:
        if pid == os.getpid():
            # An earlier process had the same pid; but one that took the store from this process is alive.
            return self._was_owner
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True
