"""The session store of this environment: whether it can be used, and how it is set up."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from functools import cached_property
from typing import Any

from idlewatch.exceptions import StoreUnavailable
from idlewatch.monitor import stores
from idlewatch.process import current_process
from idlewatch.store.base import Store
from idlewatch.store.values import StoreCondition


class OwnStore:
    """The store that the settings name; `run` runs a coroutine on the one event loop that its connections belong to."""

    def __init__(self, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self._run = run

    @property
    def store(self) -> Store:
        """The store itself."""
        return stores.store_of(current_process())

    def follow_time(self) -> None:
        """Go by the time of the store, if it is shared, from here on."""
        # The section of the store reports one that can't be opened.
        with suppress(Exception):
            stores.store_of(current_process())

    def close(self) -> None:
        """Close the connections of the event loop."""
        # One that can't be opened has none.
        with suppress(Exception):
            self._run(self.store.aclose())

    @cached_property
    def failure(self) -> str | None:
        """Why the store can't be used; None if it can be."""
        try:
            self._run(self.store.ping())
        except StoreUnavailable as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - what a project names as its store may raise anything
            return f"it can't be opened: {type(error).__name__}"
        return None

    @property
    def is_shared(self) -> bool:
        """Whether processes share it; true also of one that can't be opened."""
        return self.failure is not None or self.store.shared

    @cached_property
    def condition(self) -> StoreCondition | None:
        """How the shared store is set up, and how it does; None for one in memory, or that can't be asked.

        To be read after `Site.reports`: some servers start their timer at the first request.
        """
        try:
            condition: StoreCondition | None = self._run(self.store.inspect())
        except Exception:  # noqa: BLE001 - the section of the store reports it
            return None
        return condition

    @property
    def living(self) -> Collection[str]:
        """The names of the processes that hold a lease; none where the store can't be asked, or is in memory."""
        return () if self.condition is None else self.condition.living
