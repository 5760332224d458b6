"""The facts of a watched session: when it started, when its user last acted, what holds it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

HOLD_TTL = 60.0
"""Seconds after which a hold lapses unless the page renews it."""
NOTHING: Mapping[str, Any] = {}
"""No holds, or no tabs: one object for all sessions, of which there are many."""


class Reason(StrEnum):
    """Why a session ended, or is about to end."""

    IDLE = "idle"
    ABSOLUTE = "absolute"
    CLOSED = "closed"
    LOGOUT = "logout"
    REVOKED = "revoked"
    REPLACED = "replaced"
    ACCOUNT = "account"
    LOST = "lost"


class Hold(Struct, frozen=True, gc=False):
    """Work in a page that needs no input: an upload, a video."""

    until: float
    """Epoch seconds at which the hold lapses."""
    label: str
    """The page's name for it."""


def _nothing() -> Mapping[str, Any]:
    return NOTHING


class Activity(Struct, frozen=True, gc=False):
    """The facts of one session. Times are in epoch seconds, durations in seconds.

    Facts never change in place: `idlewatch.core.reducer` makes the next ones.
    """

    logged_in_at: float
    """The last sign-in, from which the absolute timeout runs."""
    active: float
    """The last activity that was credited."""
    holds: Mapping[str, Hold] = field(default_factory=_nothing)
    """What stops the idle clock, by the id that the page chose."""
    held_from: float | None = None
    """Start of the latest period of unbroken holding; None before the first."""
    held_until: float = 0.0
    """When the last of the holds lapses, or lapsed."""
    held_since: float | None = None
    """Start of the first hold after the last activity, from which `HOLD_LIMIT` runs; None before it."""
    held_before: float = 0.0
    """Seconds held in earlier periods."""
    tabs: Mapping[str, int] = field(default_factory=_nothing)
    """Number of open sockets, by the process that serves them."""
    has_client: bool = True
    """Whether the last page that was shown has the client."""
    awaited_since: float | None = None
    """When a page with the client was shown that has not connected yet; None: none is awaited."""
    closed_at: float | None = None
    """When the last tab was closed cleanly; None if it was not, or the user came back."""
    polled_at: float | None = None
    """When a page without a socket last polled over HTTP."""
    warnings: int = 0
    """How many times the session was warned."""
    extensions: int = 0
    """How many times the user chose to stay."""
    ended: float | None = None
    """When the session ended; None while it is live."""
    reason: Reason | None = None
    """Why the session ended."""

    @property
    def tab_count(self) -> int:
        """The number of open tabs, on all processes."""
        return sum(self.tabs.values())

    def hold_end(self, hold_limit: float) -> float:
        """Return when the holds no longer stop the idle clock, bounded by `hold_limit`; 0 if there were none."""
        if self.held_since is None:
            return 0.0
        return min(self.held_until, self.held_since + hold_limit)

    def idle_from(self, now: float, hold_limit: float) -> float:
        """Return the time from which the idle timeout runs, as seen at `now`."""
        if self.held_since is None:
            return self.active
        return max(self.active, min(now, self.hold_end(hold_limit)))

    def held_seconds(self, now: float, hold_limit: float) -> float:
        """Return for how many seconds holds have stopped the idle clock, up to `now`."""
        if self.held_from is None:
            return self.held_before
        return self.held_before + max(0.0, min(now, self.hold_end(hold_limit)) - self.held_from)

    def finished(self, reason: Reason, at: float) -> Activity:
        """Return the facts with the session ended; an earlier end stays as it is."""
        if self.ended is not None:
            return self
        return replace(self, ended=at, reason=reason)
