"""The contract of a store.

A store keeps the facts of each watched session and changes them atomically. What it decides, it decides by the pure
functions of `policy` and `events`; what is due, it hands to whoever claims it, one claimant at a time, under a lease.

Any operation of a shared store raises `StoreUnavailable` where it can't be reached; `Standby`, which judges by the
records then, raises `Undecided` where those can't tell either.

Times are epoch seconds and come from the caller. Each operation that requests and sockets need has an async twin
(prefix `a`); those of the timer are async alone.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import ClassVar, NamedTuple

from msgspec import Struct

from idlewatch.core.activity import Activity, Reason
from idlewatch.core.events import Event
from idlewatch.core.policy import FRESH, Phase, Policy, Shown, Verdict, assess


class Due(StrEnum):
    """What a watch can be due for; each kind is claimed and confirmed by itself.

    So a database that is down holds up the records, and never repeats a push.
    """

    PUSH = "push"
    """Its phase, reason or `extendable` changed: tell its tabs."""
    RECORD = "record"
    """It ended: delete its Django session and close its record."""
    CHECK = "check"
    """Checkpoint its activity, and see that its user and its Django session still stand."""


class Watched(Struct, frozen=True, kw_only=True):
    """One watched session as the store knows it at one moment."""

    id: str
    """Random, of its own; safe to show and to log."""
    user: str
    """The primary key of its user, as text."""
    key: str | None = None
    """The raw session key, for deleting the session; None where there is none to keep. Never show or log it."""
    policy: Policy
    activity: Activity
    version: int = 0
    """Grows with each change, also across a store that came back empty: it starts at the epoch in milliseconds."""
    shown: Shown = FRESH
    """What its tabs were last told, or are being told."""
    unpublished: bool = False
    """`shown` was settled, and nobody confirmed that its tabs heard of it."""
    doubted: bool = False
    """The check before found that its user or its Django session may stand no more."""

    def __repr__(self) -> str:
        # The generated one would show the key.
        return f"<Watched {self.id} of user {self.user}, version {self.version}>"

    def verdict(self, now: float) -> Verdict:
        """Judge it at `now`."""
        return assess(self.activity, self.policy, now)


class Renewal(NamedTuple):
    """What a process is told when it gives a sign of life."""

    known: bool
    """False where it is new, or was taken for dead: it has to count its tabs again."""
    resume: bool
    """The store is new and empty, and this process is to resume into it what the records know."""
    created_at: float
    """When the store began to be what it is (epoch seconds)."""


class Reading(NamedTuple):
    """What a shared store says of the time."""

    now: float
    """Epoch seconds, as all processes are to count them."""
    correction: float
    """Seconds by which the clock behind it is put right."""
    others: float | None
    """When another process gave its last sign of life, in the same time; None: there is none."""


class Census(NamedTuple):
    """How many sessions live."""

    active: int
    warned: int
    connected: int
    """Those of either phase that have a tab open."""


class Sample(NamedTuple):
    """A census of the past."""

    at: float
    """Epoch seconds."""
    active: int
    warned: int
    ended: int
    """How many ended since the sample before."""


class Listing(NamedTuple):
    """Part of the live sessions that were asked for, in their order."""

    total: int
    """How many there are in all."""
    watches: Sequence[Watched]


class Store(abc.ABC):
    """Keeps the facts of watched sessions. Thread-safe."""

    shared: ClassVar[bool]
    """Whether several processes see one truth through it."""

    def __init__(self, location: str | None, options: Mapping[str, object]) -> None:
        """Take `LOCATION` and `OPTIONS` of the setting `STORE`."""
        self.location = location
        self.options = options

    @abc.abstractmethod
    def get(self, watch_id: str) -> Watched | None:
        """Return what is known of a watch; None where nothing is."""

    @abc.abstractmethod
    def open(self, watched: Watched, now: float) -> Watched:
        """Keep a watch unless there is one by its id, dead or alive; return the one that stands."""

    @abc.abstractmethod
    def restart(self, watched: Watched, now: float) -> Watched:
        """Start the clocks of a live watch anew, with the key and the limits of this sign-in; open it if unknown."""

    @abc.abstractmethod
    def apply(self, watch_id: str, event: Event, now: float) -> Watched | None:
        """Let an event change the facts; return the watch after it, None if it is unknown.

        Raises:
            HoldRefused, TooManyTabs: as the event does; nothing changed then.
        """

    @abc.abstractmethod
    def bind(self, watch_id: str, key: str) -> None:
        """Note the key that the Django session has now."""

    @abc.abstractmethod
    def end(self, watch_id: str, reason: Reason, now: float) -> Watched:
        """End a watch, known or not; the first reason stays, and an end by the clock before `now` came first."""

    @abc.abstractmethod
    async def aget(self, watch_id: str) -> Watched | None:
        """Twin of `get`."""

    @abc.abstractmethod
    async def aopen(self, watched: Watched, now: float) -> Watched:
        """Twin of `open`."""

    @abc.abstractmethod
    async def aapply(self, watch_id: str, event: Event, now: float) -> Watched | None:
        """Twin of `apply`."""

    @abc.abstractmethod
    async def aend(self, watch_id: str, reason: Reason, now: float) -> Watched:
        """Twin of `end`."""

    @abc.abstractmethod
    async def aclaim(self, due: Due, now: float, limit: int, lease: float) -> Sequence[Watched]:
        """Lease up to `limit` watches that are due; whoever does not confirm within `lease` seconds loses them."""

    @abc.abstractmethod
    async def asettle(self, watched: Watched, verdict: Verdict, now: float) -> Watched | None:
        """Make a verdict on the claimed facts what its tabs are to be told; an end becomes final.

        A compare-and-set on the version: None where the facts changed since the claim, and the watch is due again.
        """

    @abc.abstractmethod
    async def aconfirm(
        self, due: Due, watched: Watched, now: float, next_at: float | None = None, *, doubted: bool = False
    ) -> None:
        """Say that what was claimed is done; a check is due again at `next_at`, by whomever, who is told of a doubt."""

    @abc.abstractmethod
    async def anext_due(self, due: Due) -> float | None:
        """Return when something of this kind is due next, or may be; None if nothing is."""

    @abc.abstractmethod
    def on_due_sooner(self, due: Due, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback`, from any thread, when something of this kind becomes due sooner than `anext_due` said.

        Returns:
            A function that stops it.
        """

    @abc.abstractmethod
    async def arenew(self, process: str, now: float, lease: float) -> Renewal:
        """Say that a process lives."""

    async def aresumed(self) -> None:  # noqa: B027 - a store of one process is its owner's to resume
        """Say that the records are resumed into the new store; until then others may be asked to."""

    @abc.abstractmethod
    async def areap(self, now: float) -> Sequence[str]:
        """Take back the tabs of processes whose lease lapsed; return those processes."""

    @abc.abstractmethod
    async def aping(self) -> None:
        """Ask for a sign of life.

        Raises:
            StoreUnavailable: there is none.
        """

    def get_all(self, watches: Sequence[str]) -> Sequence[Watched | None]:
        """Return what is known of each of these watches, in their order."""
        return [self.get(watch_id) for watch_id in watches]

    @abc.abstractmethod
    async def aget_all(self, watches: Sequence[str]) -> Sequence[Watched | None]:
        """Twin of `get_all`."""

    @abc.abstractmethod
    async def acensus(self) -> Census:
        """Count the live sessions; what it costs does not grow with their number."""

    @abc.abstractmethod
    async def alist(
        self, phase: Phase | None, connected: bool | None, offset: int, limit: int, *, last: bool = False
    ) -> Listing:
        """List live sessions by index: the warned before the active, and among each the one that ends next first.

        The phase is the one that tabs were told. `last`: all of it turned round.
        """

    @abc.abstractmethod
    async def asample(self, now: float, every: float, keep: float) -> Sample | None:
        """Take a sample, unless there is one of the last `every` seconds; forget those older than `keep` seconds.

        Returns:
            The sample; None where there was one.
        """

    @abc.abstractmethod
    async def asamples(self, after: float = 0.0) -> Sequence[Sample]:
        """Return the samples taken later than `after` (epoch seconds), the oldest first."""

    async def arecall(self, samples: Sequence[Sample]) -> None:  # noqa: B027 - a shared store has them itself
        """Take samples up that were taken before this process began, in place of its own."""

    @abc.abstractmethod
    def read_created_at(self) -> float | None:
        """Return since when the store is what it is (epoch seconds); None where no process has renewed itself yet."""

    def read_time(self, process: str) -> Reading | None:
        """Return the time that all processes share; None where this process is alone with its clock."""
        return None

    async def aread_time(self, process: str) -> Reading | None:
        """Twin of `read_time`."""
        return self.read_time(process)

    async def acorrect_time(self, reading: Reading, by: float) -> None:  # noqa: B027 - nor has it a clock to share
        """Put the shared time right, whose clock was set; nothing happens where somebody else has done so."""

    @abc.abstractmethod
    def clear(self) -> None:
        """Forget everything: what it knows is not the truth any more."""

    async def aclose(self) -> None:  # noqa: B027 - as `close`
        """Let go of what the store holds open for the running event loop."""

    def close(self) -> None:  # noqa: B027 - a store that holds nothing open has nothing to close
        """Let go of what the store holds open."""
