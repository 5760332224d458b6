"""The public signals. Connect receivers as to any Django signal; `sender` is `WatchedSession`.

Each receiver runs in a thread of its own, in the order of events, after the transaction of the event has committed.
A receiver that raises or is slow is logged, and delays nothing else; see `idlewatch.signals.dispatcher`. All arguments
are keywords; accept `**kwargs`, since more may be added. Times are epoch seconds. Each event is sent at most once among
all processes that share a store.
"""

from __future__ import annotations

from django.dispatch import Signal


class SessionSignal(Signal):
    """A signal about a session, with a name for the log and the metrics."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


session_opened = SessionSignal("session_opened")
"""A watched session started: by a sign-in, or because a request found it signed in.

Arguments: `watch_id`, `user` (the primary key as a string).
"""

session_warned = SessionSignal("session_warned")
"""The user is warned that the session is about to end, or, during a warning, another limit became the next one.

Arguments: `watch_id`, `user`, `reason` (the `Reason` of the coming end), `ends_at` (its time, if nothing happens),
`remaining` (the seconds until then), `at`.
"""

session_extended = SessionSignal("session_extended")
"""A warned session continues: the user chose to stay, acted, signed in again, or uses a page that holds it.

Arguments: `watch_id`, `user`, `at`.
"""

session_ended = SessionSignal("session_ended")
"""A session ended.

Arguments: `watch_id`, `user`, `reason` (a `Reason`), `at`, `by` (the user who ended it, or None).
"""
