"""The circuit breaker: while Redis is away its callers fail at once, but for one at a time that tries again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Lock

from redis.exceptions import RedisError, ResponseError

from idlewatch import metrics
from idlewatch.exceptions import StoreUnavailable

logger = logging.getLogger("idlewatch")

STORE_TIMEOUT = 1.0
"""Seconds to wait for a connection, and for an answer."""
RETRY_DELAY = 0.5
"""Seconds after a failure before Redis is asked again."""
REMINDER_INTERVAL = 60.0
"""Seconds between two log lines about requests that Redis refuses."""


class CircuitBreaker:
    """Lets requests through while Redis answers; after a failure one at a time, each after a delay. Thread-safe.

    What goes wrong on the way raises `StoreUnavailable`. An outage does not hold up each request for a timeout.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._next_try: float | None = None
        """By the clock; None while Redis answers."""
        self._refusal_logged_at = float("-inf")
        self._listeners: list[Callable[[], None]] = []

    def on_failure(self, callback: Callable[[], None]) -> None:
        """Call `callback`, from any thread, after each failure."""
        self._listeners.append(callback)

    def __enter__(self) -> None:
        """Guard a request, and learn from how it ends.

        Raises:
            StoreUnavailable: Redis does not answer, did not a moment ago, or refuses.
        """
        if self._next_try is not None:
            self._admit()

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if self._next_try is not None and (error is None or isinstance(error, ResponseError)):
            self._succeeded()
        if error is None:
            return
        # What was sent is in the variables of its frames, which reports of errors show.
        if isinstance(error, ResponseError):
            raise self.refused(error) from None
        if isinstance(error, RedisError | OSError):
            raise self.failed(error) from None

    def failed(self, error: BaseException) -> StoreUnavailable:
        """Note that Redis did not answer; return the error to raise."""
        with self._lock:
            was_open = self._next_try is not None
            self._next_try = self._clock() + RETRY_DELAY
        self._notify()
        if not was_open:
            logger.error("Redis does not answer: %s.", type(error).__name__)
        return StoreUnavailable(f"Redis does not answer: {type(error).__name__}.")

    def refused(self, error: ResponseError) -> StoreUnavailable:
        """Note that Redis answered by an error, which costs no timeout: the next request may go; return the error."""
        now = self._clock()
        with self._lock:
            is_logged = now < self._refusal_logged_at + REMINDER_INTERVAL
            if not is_logged:
                self._refusal_logged_at = now
        self._notify()
        # The text of an error may hold what was sent: its kind alone is kept.
        kind = _kind(error)
        error.args = (kind,)
        if not is_logged:
            logger.error("Redis rejected a command: %s.", kind)
        return StoreUnavailable(f"Redis rejected a command: {kind}.")

    def _admit(self) -> None:
        with self._lock:
            now = self._clock()
            if self._next_try is not None and now < self._next_try:
                raise StoreUnavailable("Redis did not answer a moment ago.")
            # This caller finds out; the others need not wait for it.
            self._next_try = now + STORE_TIMEOUT + RETRY_DELAY

    def _succeeded(self) -> None:
        with self._lock:
            self._next_try = None
        logger.warning("Redis is reachable again.")

    def _notify(self) -> None:
        metrics.STORE_ERRORS.inc()
        for listener in self._listeners:
            listener()


def _kind(error: ResponseError) -> str:
    """Return what names an error of Redis: its first word, as in `READONLY`, where that is a code."""
    word = str(error).partition(" ")[0]
    return word if word.isalpha() and word.isupper() else type(error).__name__
