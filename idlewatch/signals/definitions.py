"""Signals for host projects: `connect`, `disconnect` and `receiver` as ever, `sender` being `WatchedSession`.

Each receiver runs in a thread of its own, in the order of events, after the transaction of the event has committed.
One that raises or is slow is logged, and stops nothing else; see `idlewatch.signals.dispatcher`. All arguments are
keywords; take `**kwargs` too, as more may be added. Times are epoch seconds. Each event is sent at most once, across
all processes that share a store.
"""

from __future__ import annotations

from django.dispatch import Signal


class SessionSignal(Signal):
    """A signal about a session, which knows its name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        """For the log and the metrics."""


session_opened = SessionSignal("session_opened")
"""A session came under watch, by a sign-in or because it was found signed in.

Arguments: `watch_id`, `user` (the primary key as text).
"""

session_warned = SessionSignal("session_warned")
"""The user is being warned that the session is about to end, or, while warned, that another limit is the near one now.

Arguments: `watch_id`, `user`, `reason` (the `Reason` that is coming), `ends_at` (when, if nothing happens), `remaining`
(the seconds until then), `at`.
"""

session_extended = SessionSignal("session_extended")
"""A warned session goes on: the user chose to stay, acted, signed in again, or works in a page that holds it.

Arguments: `watch_id`, `user`, `at`.
"""

session_ended = SessionSignal("session_ended")
"""A session ended.

Arguments: `watch_id`, `user`, `reason` (a `Reason`), `at`, `by` (the user who ended it, or None).
"""
