"""Wakes those who sleep until something is due: in this process at once, in the others by Redis."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock, Thread

from redis.exceptions import RedisError

from idlewatch.store.base import Due
from idlewatch.store.redis.client import Link

logger = logging.getLogger("idlewatch")

LOOK = 0.5
"""Seconds after which the thread looks whether it is to stop."""
PAUSE = 0.5
"""Seconds before it connects anew."""


class WakeupListener:
    """Hears when something is due sooner than those who sleep were told."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._lock = Lock()
        self._told = dict.fromkeys(Due, float("-inf"))
        """The answers that were given: who asked sleeps until then."""
        self._listeners: dict[Due, list[Callable[[], None]]] = {due: [] for due in Due}
        self._stopping = Event()
        self._thread: Thread | None = None

    def told(self, due: Due, at: float | None) -> None:
        """Note when whoever asked believes that something of this kind is due next; None: never."""
        with self._lock:
            self._told[due] = float("inf") if at is None else at

    def hear(self, due: Due, at: float) -> None:
        """Wake who sleeps too long, now that something is due at `at` (epoch seconds; below 0: it is not)."""
        with self._lock:
            if at < 0 or at >= self._told[due]:
                return
            self._told[due] = at
            listeners = list(self._listeners[due])
        for listener in listeners:
            listener()

    def listen(self, due: Due, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` when something of this kind is due sooner; return a function that stops it."""
        with self._lock:
            self._listeners[due].append(callback)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="idlewatch-waking", daemon=True)
                self._thread.start()

        def stop() -> None:
            with self._lock:
                self._listeners[due].remove(callback)

        return stop

    def close(self) -> None:
        """Stop the thread."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._hear_others()
            except (RedisError, OSError):
                # The store's callers say that Redis is away. Meanwhile the timer looks once a round.
                self._stopping.wait(PAUSE)

    def _hear_others(self) -> None:
        with self._link.listener() as listener:
            listener.subscribe(f"{self._link.prefix}sooner")
            while not self._stopping.is_set():
                message = listener.get_message(timeout=LOOK)
                if message is not None:
                    # One that makes no sense comes from another version.
                    with suppress(ValueError):
                        self._hear(message["data"].decode())

    def _hear(self, message: str) -> None:
        sender, kind, at = message.split()
        if sender != self._link.name:
            self.hear(Due(kind), float(at))
