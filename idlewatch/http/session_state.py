"""The state of a session at one moment."""

from __future__ import annotations

from msgspec import Struct

from idlewatch.core.activity import Reason
from idlewatch.core.policy import Phase, Verdict, assess, ended
from idlewatch.store.values import Watched

_ENDED = Phase.ENDED


class SessionState(Struct, frozen=True, gc=False):
    """The facts of a session and the verdict on them. An anonymous user has neither.

    No garbage collection looks at it, as at what is in it: there is one for each request.
    """

    watched: Watched | None = None
    """None also after an end of which the store has no facts."""
    verdict: Verdict | None = None
    is_ended: bool = False
    """There was a session, and it has ended."""
    watch_id: str | None = None
    """The id of a live session; None for anonymous users and after an end."""

    @classmethod
    def at(cls, watched: Watched, now: float) -> SessionState:
        """Return the state of a session at `now` (epoch seconds)."""
        verdict = assess(watched.activity, watched.policy, now)
        is_ended = verdict.shown.phase is _ENDED
        return cls(watched, verdict, is_ended, None if is_ended else watched.id)

    @classmethod
    def lost(cls, reason: Reason, now: float) -> SessionState:
        """Return the state of a session that has ended and left no facts."""
        return cls(None, ended(reason, now), is_ended=True)

    @property
    def phase(self) -> Phase | None:
        """The phase of the session."""
        return None if self.verdict is None else self.verdict.phase

    @property
    def reason(self) -> Reason | None:
        """Why it ended, or, while warned, why it is about to."""
        return None if self.verdict is None else self.verdict.reason


NO_SESSION = SessionState()
