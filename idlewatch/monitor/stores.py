"""The store of each process, opened when it is first used."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from idlewatch.conf import conf
from idlewatch.exceptions import StoreUnavailable
from idlewatch.monitor.clock_sync import ClockSync
from idlewatch.monitor.fallback import FallbackStore
from idlewatch.monitor.heartbeats import Heartbeats
from idlewatch.monitor.outage import Outage
from idlewatch.monitor.recovery import Recovery
from idlewatch.monitor.store_lease import StoreLease
from idlewatch.process import PerLoop, Process, current_process
from idlewatch.store.base import Store


class OpenedStore(NamedTuple):
    """The store of a process."""

    store: Store
    lease: StoreLease | None
    """The lease on the memory store; None for a shared store, by which every process may judge."""
    recovery: Recovery | None
    """Reports to a shared store what it missed; None for the memory store."""
    heartbeats: PerLoop[Heartbeats] | None
    """What waits to be credited; None for the memory store, which credits it at once."""

    def close(self) -> None:
        """Close the store."""
        self.store.close()


def current() -> Store:
    """Return the current process's store: see `store_of`.

    Raises:
        StoreElsewhere: it is in memory, and belongs to another process.
    """
    process = current_process()
    process.part(StoreLease).check()
    return process.part(open_store).store


def require_store(now: float, *, in_view: bool = False) -> Store:
    """Return the current process's store, by which it may judge: it is shared, or its own. See `StoreLease.ensure`.

    Raises:
        StoreElsewhere: the store is in memory, and belongs to another process.
    """
    opened = current_process().part(open_store)
    if opened.lease is not None:
        opened.lease.ensure(now, in_view=in_view)
    return opened.store


def store_of(process: Process) -> Store:
    """Return the store of a process, opened by the first call.

    While a shared store is unavailable, the records stand in for its `sessions`: see `FallbackStore`.
    """
    return process.part(open_store).store


def recovery_of(process: Process) -> Recovery | None:
    """Return the recovery of a shared store after an outage; None for the memory store."""
    return process.part(open_store).recovery


def heartbeats_of(process: Process) -> Heartbeats | None:
    """Return what waits on the running event loop to be credited by a shared store; None for the memory store."""
    heartbeats = process.part(open_store).heartbeats
    return None if heartbeats is None else heartbeats.current()


def open_store(process: Process) -> OpenedStore:
    """Open the store that the setting `STORE` describes."""
    configured = conf.store
    backend = import_string(configured["BACKEND"])
    if not (isinstance(backend, type) and issubclass(backend, Store)):
        raise ImproperlyConfigured(f"IDLEWATCH['STORE']['BACKEND'] is {configured['BACKEND']!r}; expected a Store.")
    made: Store = backend(configured.get("LOCATION"), configured.get("OPTIONS", {}))
    if not made.shared:
        lease = process.part(StoreLease)
        lease.on_loss(made.clear)
        return OpenedStore(made, lease, None, None)
    # While the store is unavailable, this process uses its own clock.
    with suppress(StoreUnavailable):
        process.part(ClockSync).follow(made.presence)
    return add_fallback(process, made)


def add_fallback(process: Process, made: Store) -> OpenedStore:
    """Wrap a shared store so that the records stand in while it is unavailable."""
    sessions, outage = made.sessions, Outage(process.clock)
    made.on_outage(outage.note)
    made.leave_ends()
    heartbeats = PerLoop(partial(Heartbeats, process, sessions, outage))
    made.sessions = FallbackStore(process, sessions, made.presence, outage, heartbeats)
    return OpenedStore(made, None, Recovery(process, sessions, made.presence, outage), heartbeats)


def _reopen(*, setting: str, **_: object) -> None:
    if setting == "IDLEWATCH":
        current_process().discard(open_store)


setting_changed.connect(_reopen, dispatch_uid="idlewatch.monitor.stores")
