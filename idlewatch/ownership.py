"""Who owns the memory store: a second web process on it would have a truth of its own."""

from __future__ import annotations

import os
import socket
from datetime import timedelta

from django.db import IntegrityError, transaction

from idlewatch.clock import as_datetime
from idlewatch.models import StoreOwner
from idlewatch.process import PROCESS

LEASE = 15.0
"""Seconds after which an owner on another host that gave no sign of life is taken for dead."""


def claim(now: float) -> StoreOwner | None:
    """Become the owner, or renew it; return the other process that is the owner, if there is one."""
    mine = {"host": socket.gethostname(), "pid": os.getpid(), "process": PROCESS, "renewed": as_datetime(now)}
    if StoreOwner.objects.filter(process=PROCESS).update(renewed=mine["renewed"]):
        return None
    owner = StoreOwner.objects.first()
    if owner is None:
        try:
            with transaction.atomic():
                StoreOwner.objects.create(**mine)
        except IntegrityError:
            return StoreOwner.objects.first()
        return None
    if not _is_dead(owner, now):
        return owner
    # Of two heirs, the one whose statement still finds the dead owner wins.
    won = StoreOwner.objects.filter(process=owner.process).update(**mine)
    return None if won else StoreOwner.objects.first()


def release() -> None:
    """Give the store up, so that the next process need not wait."""
    StoreOwner.objects.filter(process=PROCESS).delete()


def _is_dead(owner: StoreOwner, now: float) -> bool:
    if owner.host == socket.gethostname():
        return not _runs(owner.pid)
    return owner.renewed < as_datetime(now) - timedelta(seconds=LEASE)


def _runs(pid: int) -> bool:
    if pid == os.getpid():
        # Another process of that number, in an earlier life.
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
