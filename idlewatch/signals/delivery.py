"""One call of one receiver of a signal."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, NamedTuple

from asgiref.sync import async_to_sync

from idlewatch import metrics
from idlewatch.models import WatchedSession
from idlewatch.signals.definitions import SessionSignal, session_ended, session_extended, session_opened, session_warned

FAILURES = {
    (signal.name, why): metrics.RECEIVER_FAILURES.labels(signal.name, why)
    for signal in (session_opened, session_warned, session_extended, session_ended)
    for why in (metrics.RAISED, metrics.SLOW, metrics.DROPPED)
}
"""Each is shown from the start, at 0: Prometheus sees no increase in a counter that begins with 1."""


class Delivery(NamedTuple):
    """A signal on its way to one receiver."""

    signal: SessionSignal
    receiver: Callable[..., Any]
    is_async: bool
    arguments: dict[str, Any]

    def run(self) -> None:
        """Call the receiver."""
        call = async_to_sync(self.receiver) if self.is_async else self.receiver
        call(signal=self.signal, sender=WatchedSession, **self.arguments)

    @property
    def key(self) -> Hashable:
        """The identity of the receiver, as Django has it: a bound method is a new object each time."""
        function = getattr(self.receiver, "__func__", None)
        return id(self.receiver) if function is None else (id(self.receiver.__self__), id(function))  # type: ignore[attr-defined]

    @property
    def name(self) -> str:
        """The name of the receiver in the log, which never shows its arguments."""
        receiver = self.receiver.func if isinstance(self.receiver, partial) else self.receiver
        named = receiver if hasattr(receiver, "__qualname__") else type(receiver)
        return f"{named.__module__}.{named.__qualname__}"

    def count_failure(self, why: str) -> None:
        """Count a failure in the metrics."""
        FAILURES[self.signal.name, why].inc()
