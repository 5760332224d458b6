"""The facts of a watched session: when it began, when its user last acted, what holds it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

HOLD_TTL = 60.0
"""Seconds after which a hold lapses, unless the page renews it."""


class Reason(StrEnum):
    """Why a session ended, or is about to."""

    IDLE = "idle"
    ABSOLUTE = "absolute"
    CLOSED = "closed"
    LOGOUT = "logout"
    REVOKED = "revoked"
    REPLACED = "replaced"
    ACCOUNT = "account"
    LOST = "lost"


class Hold(Struct, frozen=True):
    """Work in a page that needs no input: an upload, a video."""

    until: float
    """Epoch seconds at which it lapses."""
    label: str
    """What the page calls it."""


class Activity(Struct, frozen=True):
    """The facts of one session. Every time is in epoch seconds, every span in seconds.

    A value, never changed in place: `idlewatch.core.events` makes the next one.
    """

    logged_in_at: float
    """The sign-in: the absolute limit runs from here."""
    active: float
    """When the user last acted, as far as it was credited."""
    holds: Mapping[str, Hold] = {}
    """What keeps the idle clock still, by the id the page gave it."""
    held_from: float | None = None
    """Start of the present or latest stretch of unbroken holding; None before the first."""
    held_until: float = 0.0
    """When the last of the holds lapses or lapsed."""
    held_since: float | None = None
    """When holding began after the last activity: `HOLD_LIMIT` runs from here. None: not yet."""
    held_before: float = 0.0
    """Seconds held in earlier stretches."""
    tabs: Mapping[str, int] = {}
    """Open sockets, by the process that serves them."""
    has_client: bool = True
    """The last page shown to the session carried the client."""
    closed_at: float | None = None
    """When the last tab was closed cleanly; None while none has, or somebody came back."""
    polled_at: float | None = None
    """When a page without a socket last asked over HTTP."""
    warnings: int = 0
    extensions: int = 0
    ended: float | None = None
    """When it ended; None while it lives."""
    reason: Reason | None = None
    """Why it ended."""

    @property
    def tab_count(self) -> int:
        """How many tabs are open, on all processes."""
        return sum(self.tabs.values())

    def hold_end(self, hold_limit: float) -> float:
        """Return when the holds stop keeping the idle clock still, bounded by `hold_limit`."""
        if self.held_since is None:
            return 0.0
        return min(self.held_until, self.held_since + hold_limit)

    def idle_from(self, now: float, hold_limit: float) -> float:
        """Return the moment from which the idle limit runs, as seen at `now`."""
        return max(self.active, min(now, self.hold_end(hold_limit)))

    def held_seconds(self, now: float, hold_limit: float) -> float:
        """Return for how long holds have kept the session, up to `now`."""
        if self.held_from is None:
            return self.held_before
        return self.held_before + max(0.0, min(now, self.hold_end(hold_limit)) - self.held_from)

    def finished(self, reason: Reason, at: float) -> Activity:
        """Return these facts with the session ended; an end that is there already stays."""
        if self.ended is not None:
            return self
        return replace(self, ended=at, reason=reason)
