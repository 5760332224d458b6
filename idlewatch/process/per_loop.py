"""Parts that a process has one of for each event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")


class PerLoop(Generic[T]):
    """One part for each event loop, made by `make` when it is first asked for there."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = Lock()
        self._parts: WeakKeyDictionary[asyncio.AbstractEventLoop, T] = WeakKeyDictionary()

    def current(self) -> T:
        """Return the part of the running event loop."""
        loop = asyncio.get_running_loop()
        part = self._parts.get(loop)
        if part is None:
            part = self._make()
            # Another loop's thread may be going through them.
            with self._lock:
                self._parts[loop] = part
        return part

    def __iter__(self) -> Iterator[T]:
        with self._lock:
            return iter(list(self._parts.values()))
