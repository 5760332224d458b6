"""The state of a session at one moment."""

from __future__ import annotations

from typing import NamedTuple

from idlewatch.core.activity import Reason
from idlewatch.core.policy import Phase, Verdict, ended
from idlewatch.store.values import Watched


class SessionState(NamedTuple):
    """The facts of a session and the verdict on them. An anonymous user has neither."""

    watched: Watched | None = None
    """None also after an end of which the store has no facts."""
    verdict: Verdict | None = None

    @classmethod
    def at(cls, watched: Watched, now: float) -> SessionState:
        """Return the state of a session at `now` (epoch seconds)."""
        return cls(watched, watched.verdict(now))

    @classmethod
    def lost(cls, reason: Reason, now: float) -> SessionState:
        """Return the state of a session that has ended and left no facts."""
        return cls(None, ended(reason, now))

    @property
    def watch_id(self) -> str | None:
        """The id of a live session; None for anonymous users and after an end."""
        watched, verdict = self
        return None if watched is None or (verdict is not None and verdict.phase is Phase.ENDED) else watched.id

    @property
    def is_ended(self) -> bool:
        """Whether there was a session, and it has ended."""
        verdict = self.verdict
        return verdict is not None and verdict.phase is Phase.ENDED

    @property
    def phase(self) -> Phase | None:
        """The phase of the session."""
        return None if self.verdict is None else self.verdict.phase

    @property
    def reason(self) -> Reason | None:
        """Why it ended, or, while warned, why it is about to."""
        return None if self.verdict is None else self.verdict.reason


NO_SESSION = SessionState()
