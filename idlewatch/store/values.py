"""The arguments and results of the stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from idlewatch.core.activity import Activity
from idlewatch.core.policy import UNWARNED, Policy, Shown, Verdict, assess

MAX_HOLD = 60.0
"""Seconds for which the clock ends nothing, at most, while records are resumed and processes report."""


class Due(StrEnum):
    """What a session can be due for. Each kind is claimed and confirmed by itself.

    So a database that is down delays the records, and never repeats a push.
    """

    PUSH = "push"
    """Its phase, reason or `extendable` changed: tell its tabs."""
    RECORD = "record"
    """It ended: delete its Django session and close its record."""
    CHECK = "check"
    """Checkpoint its activity, and check that its user and its Django session are still there."""


class SessionKey(str):
    """A raw session key, which is a secret: error reports that show variables don't show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<session key>"


class Watched(Struct, frozen=True, kw_only=True, gc=False):
    """A watched session as the store has it at one moment. Times are epoch seconds."""

    id: str
    """Its watch id: random; safe to show and to log."""
    user: str
    """The primary key of its user, as text."""
    key: SessionKey | None = None
    """The raw session key, for deleting the session; None where there is none to keep. Never show or log it."""
    policy: Policy
    activity: Activity
    version: int = 0
    """Grows with each change, also across a store that came back empty: it starts at the epoch in milliseconds."""
    shown: Shown = UNWARNED
    """What its tabs were last told, or are being told."""
    unfinished: bool = False
    """Whether a claim goes on with what an earlier one began.

    A push: `shown` was settled, and not confirmed as delivered to the tabs. A check: it is doubted, since the last one
    did not find its user or its Django session. One field for both: a process has many sessions.
    """

    def __repr__(self) -> str:
        # The generated one would show the key.
        return f"<Watched {self.id} of user {self.user}, version {self.version}>"

    def verdict(self, now: float) -> Verdict:
        """Return its verdict at `now` (epoch seconds)."""
        return assess(self.activity, self.policy, now)


class Touch(NamedTuple):
    """Activity of a session's user, as a tab reported it. Times are epoch seconds."""

    watch_id: str
    moment: float
    """When the user acted."""
    now: float
    """When the report was received."""


class Renewal(NamedTuple):
    """The answer to the sign of life of a process."""

    known: bool
    """Whether it was live before. If not, it is new or its lease lapsed: it has to report its tabs again."""
    resume: bool
    """Whether the store lost data, and this process is to resume into it what the records know."""
    created_at: float
    """When the store was created, or replaced by an older copy of its data (epoch seconds)."""
    settle_after: float
    """Until when nothing may be settled (epoch seconds; `inf`: until it was resumed)."""
    lost_from: float | None
    """From when on the store may lack what was written into it (epoch seconds); None: it came back empty."""
    has_lapsed: bool
    """Whether there are processes whose lease lapsed: `reap` takes their tabs back."""


class Share(NamedTuple):
    """The share of a process in what all resume from the records into a store that lost data."""

    sharer: str
    """The process that offered the parts; empty if none were offered."""
    part: str
    """The part that this process is to resume; empty if none is left, or none was asked for."""
    offered: int
    """How many parts were offered so far, and are remembered."""
    done: int
    """How many of them were resumed."""


class Reading(NamedTuple):
    """A reading of the shared time."""

    now: float
    """Epoch seconds, for all processes."""
    correction: float
    """Seconds by which the clock of the store's server is corrected."""
    others: float | None
    """When another process gave its last sign of life, by the same time; None if there is none."""


class Census(NamedTuple):
    """How many sessions are live."""

    active: int
    warned: int
    connected: int
    """Those of either phase that have a tab open."""


class Sample(NamedTuple):
    """A census that was kept."""

    at: float
    """Epoch seconds."""
    active: int
    warned: int
    ended: int
    """How many ended since the previous sample."""


class Listing(NamedTuple):
    """One page of a list of live sessions."""

    total: int
    """How many sessions the whole list has."""
    sessions: Sequence[Watched]


class StoreCondition(Struct, frozen=True, kw_only=True):
    """How a shared store is set up, and how it does. None: this client may not ask.

    Times are epoch seconds, by the time that all processes share.
    """

    server: str
    """The product and its version, as `Redis 7.4.1`."""
    is_supported: bool | None
    """Whether its version has all that is needed."""
    eviction: str | None
    """By which policy it drops data when it is full; `noeviction` for none."""
    memory_limit: int | None
    """Bytes of data at which it is full; 0: no limit."""
    is_logged: bool | None
    """Whether it writes each change to disk."""
    has_snapshots: bool | None
    """Whether it writes its data to disk from time to time."""
    failed_writes: Sequence[str]
    """What it could not write to disk the last time: `log`, `snapshot`."""
    now: float
    """The shared time, when it was asked."""
    correction: float
    """Seconds by which all processes correct the clock of its server."""
    created_at: float | None
    """When it was created, or came back with less data; None where no process has used it."""
    is_resumed: bool
    """Whether the records have been resumed into it since."""
    settle_after: float
    """Until when the clock ends nothing: processes resume the records, or report what they saw."""
    leases: Mapping[str, float]
    """Until when each process has its lease; one whose lease lapsed is in it until its tabs are taken back."""

    def __repr__(self) -> str:
        return f"<StoreCondition at {self.now}>"

    @property
    def living(self) -> Mapping[str, float]:
        """The processes that live, with the seconds that their leases still run."""
        return {name: until - self.now for name, until in self.leases.items() if until > self.now}

    @property
    def is_holding_back(self) -> bool:
        """Whether the clock ends nothing at this moment."""
        # A hold that lasts longer comes from a clock that was wrong.
        return self.now < self.settle_after <= self.now + MAX_HOLD
