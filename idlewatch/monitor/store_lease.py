"""Who owns the memory store: a second web process on it would have a truth of its own."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta

from django.db import IntegrityError, router, transaction

from idlewatch.core.clock import as_datetime
from idlewatch.models import StoreOwner
from idlewatch.process.identity import PROCESS

LEASE = 15.0
"""Seconds after which an owner on another host that gave no sign of life is taken for dead."""
PATIENCE = 15
"""Looks, one a round, after which an owner that never renewed itself meanwhile is taken for dead, wherever it is."""


class _OwnerObserver:
    """What this process saw of the owner: no clock of another process is needed for it."""

    def __init__(self) -> None:
        self.owned = False
        """Whether this process was the owner once."""
        self._seen: tuple[str, datetime] | None = None
        self._looks = 0

    def gives_up(self, owner: StoreOwner) -> bool:
        sign = owner.process, owner.renewed
        self._looks = self._looks + 1 if sign == self._seen else 0
        self._seen = sign
        return self._looks >= PATIENCE


_owner_observer = _OwnerObserver()


def claim(now: float) -> StoreOwner | None:
    """Become the owner, or renew it; return the other process that is the owner, if there is one."""
    owner = _claim(now)
    _owner_observer.owned = _owner_observer.owned or owner is None
    return owner


def _claim(now: float) -> StoreOwner | None:
    mine = {"host": socket.gethostname(), "pid": os.getpid(), "process": PROCESS, "renewed": as_datetime(now)}
    # By the number too: a server that forked after the import gave its workers one name.
    if StoreOwner.objects.filter(process=PROCESS, pid=os.getpid()).update(renewed=mine["renewed"]):
        return None
    owner = StoreOwner.objects.first()
    if owner is None:
        try:
            with transaction.atomic(using=router.db_for_write(StoreOwner)):
                StoreOwner.objects.create(**mine)
        except IntegrityError:
            return _faster(now)
        return None
    if not _is_dead(owner, now):
        return owner
    # Of two heirs, the one whose statement still finds the dead owner as it was wins.
    won = StoreOwner.objects.filter(process=owner.process, pid=owner.pid, renewed=owner.renewed).update(**mine)
    return None if won else _faster(now)


def _faster(now: float) -> StoreOwner | None:
    """Return the process that was faster; where it gave the store up again already, try anew."""
    return StoreOwner.objects.first() or _claim(now)


def release() -> None:
    """Give the store up, so that the next process need not wait."""
    StoreOwner.objects.filter(process=PROCESS, pid=os.getpid()).delete()


def _is_dead(owner: StoreOwner, now: float) -> bool:
    if _owner_observer.gives_up(owner):
        return True
    if owner.host == socket.gethostname():
        return not _runs(owner.pid)
    return owner.renewed < as_datetime(now) - timedelta(seconds=LEASE)


def _runs(pid: int) -> bool:
    if pid == os.getpid():
        # Another process of that number, in an earlier life; but whoever took the store from this one is of today.
        return _owner_observer.owned
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
