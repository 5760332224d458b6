"""Wakes timers that sleep until something is due: in this process at once, in the others by Redis."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock, Thread

from redis.exceptions import RedisError

from idlewatch.store.redis.client import Client
from idlewatch.store.values import Due

logger = logging.getLogger("idlewatch")

POLL_TIMEOUT = 0.5
"""Seconds of waiting for a message, after which the thread checks whether it is to stop."""
RECONNECT_DELAY = 0.5
"""Seconds before it connects again."""


class WakeupListener:
    """Calls listeners when something is due sooner than `note_next` noted. Thread-safe."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = Lock()
        self._next_at = dict.fromkeys(Due, float("-inf"))
        """When something of each kind is due next, as far as is noted (epoch seconds): callers sleep until then."""
        self._listeners: dict[Due, list[Callable[[], None]]] = {due: [] for due in Due}
        self._stopping = Event()
        self._thread: Thread | None = None

    def note_next(self, due: Due, at: float | None) -> None:
        """Note until when callers sleep, as nothing of this kind is due before (epoch seconds); None: for ever."""
        with self._lock:
            self._next_at[due] = float("inf") if at is None else at

    def notify(self, due: Due, at: float) -> None:
        """Wake callers that sleep too long, now that something is due at `at` (epoch seconds; below 0: it is not)."""
        with self._lock:
            if at < 0 or at >= self._next_at[due]:
                return
            self._next_at[due] = at
            listeners = list(self._listeners[due])
        for listener in listeners:
            listener()

    def listen(self, due: Due, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` when something of this kind is due sooner; return a function that stops it."""
        with self._lock:
            self._listeners[due].append(callback)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="idlewatch-wakeups", daemon=True)
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
                self._receive()
            except (RedisError, OSError):
                # The store's callers report that Redis is away. Meanwhile the timer looks once a round.
                self._stopping.wait(RECONNECT_DELAY)

    def _receive(self) -> None:
        with self._client.subscriber() as subscriber:
            subscriber.subscribe(f"{self._client.prefix}sooner")
            while not self._stopping.is_set():
                message = subscriber.get_message(timeout=POLL_TIMEOUT)
                if message is not None:
                    # One that makes no sense comes from another version.
                    with suppress(ValueError):
                        self._handle(message["data"].decode())

    def _handle(self, message: str) -> None:
        sender, kind, at = message.split()
        if sender != self._client.name:
            self.notify(Due(kind), float(at))
