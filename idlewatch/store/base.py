"""The contract of a store: four small protocols, and the backend that offers them.

A store keeps the facts of each watched session and changes them atomically. What it decides, it decides by the pure
functions of `core.policy` and `core.reducer`. Operations that requests and sockets need exist twice, the async version
with the prefix `a`; those of the timer and the operators' pages are async alone.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import ClassVar, Protocol

from idlewatch.core.activity import Reason
from idlewatch.core.events import Event
from idlewatch.core.policy import Phase, Verdict
from idlewatch.store.values import Census, Due, Listing, Reading, Renewal, Sample, Share, StoreCondition, Touch, Watched

CHANGE_BATCH = 100
"""Sessions that a store changes in one step, at most: of a longer list, some may be changed when it fails."""
TOMBSTONE_TTL = 600.0
"""Seconds for which an end is kept once its record is closed: longer than any request that read the record before."""


class SessionStore(Protocol):
    """Keeps the facts of watched sessions, and changes those of one session atomically. Thread-safe.

    Example::

        opened = store.sessions.open(watched, now)
        after = store.sessions.apply(opened.id, Extended(), now)
    """

    def get(self, watch_id: str) -> Watched | None:
        """Return a session; None if it is unknown."""

    def get_many(self, watch_ids: Sequence[str]) -> Sequence[Watched | None]:
        """Return several sessions in the order of their ids, with None for each that is unknown."""

    def open(self, watched: Watched, now: float) -> Watched:
        """Keep a session unless its id is known, live or ended; return the one that is kept then."""

    def open_many(self, sessions: Sequence[Watched], now: float) -> Collection[str]:
        """Keep sessions that go on from their records, each unless its id is known; none has a tab open.

        Return the ids that were known.
        """

    def restart(self, watched: Watched, now: float) -> Watched:
        """Restart the clocks of a live session with the key and the limits of `watched`; open it if it is unknown.

        An ended session stays ended, and is returned as it ended.
        """

    def transfer(self, watched: Watched, now: float) -> Watched:
        """Replace user, key and limits of a live session by those of `watched`; open it if it is unknown.

        Its clocks go on: the same person acts as another user. An ended session is returned as it ended.
        """

    def apply(self, watch_id: str, event: Event, now: float) -> Watched | None:
        """Apply an event; return the session after it, None if it is unknown.

        Raises:
            HoldRefused, TooManyTabs: as the event does; nothing changed.
            Undecided: too many others write the session at once; nothing changed. Every other write may raise it, too.
            HeldBack: the session is over by the clock, and its end is held back by `Presence`, or left to `end` by
                `Store.leave_ends`.
        """

    def bind(self, watch_id: str, key: str) -> None:
        """Store the present key of the Django session; the facts and their version stay."""

    def end(self, watch_id: str, reason: Reason | None, now: float, *, limits_first: bool = True) -> Watched:
        """End a session, known or not, and return it as it ended.

        The first reason stays, and a limit that was reached before `now` comes first, unless `limits_first` is false:
        as where a record already says how it ended. An unknown session leaves a tombstone, which refuses to be opened.
        `reason`: None for an end by the limits alone: a session that has reached none goes on, and is returned so.
        """

    async def aget(self, watch_id: str) -> Watched | None:
        """Async version of `get`."""

    async def aget_many(self, watch_ids: Sequence[str]) -> Sequence[Watched | None]:
        """Async version of `get_many`."""

    async def aopen(self, watched: Watched, now: float) -> Watched:
        """Async version of `open`."""

    async def aopen_many(self, sessions: Sequence[Watched], now: float) -> Collection[str]:
        """Async version of `open_many`."""

    async def aapply(self, watch_id: str, event: Event, now: float) -> Watched | None:
        """Async version of `apply`."""

    async def acredit(self, touches: Sequence[Touch], process: str) -> Collection[int]:
        """Credit activity whose outcome no caller waits for; return the places of the touches that were left alone.

        Those are to be applied one by one, because activity means more there: the session is unknown, held, warned or
        over, or is not known to have a tab open on `process`, which received them. A store may leave all alone.
        """
        return range(len(touches))

    def collect(self, touch: Touch, process: str) -> bool:
        """Take in activity to be credited before anyone looks at its session, if it means no more than that there.

        Return whether it does: see `acredit`. A store may take in none.
        """
        return False

    async def aend(self, watch_id: str, reason: Reason | None, now: float, *, limits_first: bool = True) -> Watched:
        """Async version of `end`."""


class DueQueue(Protocol):
    """Hands out what is due, to one claimant at a time, in batches.

    Example::

        claimed = await queue.claim(Due.PUSH, now, limit=500, lease=10.0)
        settled = [session for session in await queue.settle(claimed, now) if session]
        ...  # tell their tabs
        await queue.confirm(Due.PUSH, settled, now)
    """

    async def claim(self, due: Due, now: float, limit: int, lease: float) -> Sequence[Watched]:
        """Lease up to `limit` sessions that are due, the earliest first.

        What is not confirmed within `lease` seconds can be claimed again. No push can be claimed while `Presence` holds
        back what the clock ends.
        """

    async def claim_next(
        self, due: Due, now: float, limit: int, lease: float
    ) -> tuple[Sequence[Watched], float | None]:
        """Claim, and return also what `next_due` would after that, in one round trip over a network."""
        return await self.claim(due, now, limit, lease), await self.next_due(due)

    async def settle(
        self, claimed: Sequence[Watched], now: float, verdicts: Sequence[Verdict] | None = None
    ) -> Sequence[Watched | None]:
        """Make the verdict at `now` on each claimed session what its tabs are to be told; an end becomes final.

        `verdicts`: those on the sessions as they were claimed, in their order, where the caller knows them.
        Each is a compare-and-set on the version, by itself: the answer has None in the place of a session that changed
        since it was claimed, which is due again, or is unknown.
        """

    async def confirm(self, due: Due, claimed: Sequence[Watched], now: float, *, doubted: Collection[str] = ()) -> None:
        """Mark as done what was claimed.

        A session that was checked is due again within three quarters of its `checkpoint`. Those whose ids are in
        `doubted` are due sooner, and are handed out as `unfinished` then.
        """

    async def repair(self, sessions: Sequence[Watched], now: float) -> int:
        """Put sessions back on the lists from which they are missing; return how many sessions were put back."""

    def note_written(self, sessions: Sequence[Watched]) -> None:
        """Note that the records have the progress of these sessions. Thread-safe."""
        return

    def written(self, sessions: Sequence[Watched]) -> Sequence[Watched]:
        """Return those of these sessions whose progress the records have for certain, and keep. Thread-safe.

        It is empty where other processes write them, too.
        """
        return ()

    async def unwritten(self) -> Sequence[Watched]:
        """Return the live sessions whose progress the records may lack; empty where the store outlives the process."""
        return ()

    async def next_due(self, due: Due) -> float | None:
        """Return when something of this kind is due next, or may be (epoch seconds); None if nothing is."""

    def on_due_sooner(self, due: Due, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback`, from any thread, when something becomes due sooner than `next_due` or `claim_next` returned.

        Returns:
            A function that stops it.
        """


class Presence(Protocol):
    """Tracks which processes live, when the store was created, and the time that all processes share."""

    async def renew(self, process: str, now: float, lease: float) -> Renewal:
        """Register a process as live for `lease` seconds."""

    async def keep_resuming(self, created_at: float, now: float) -> None:
        """Note that this process goes on resuming the records: for some seconds, `renew` asks no other process to.

        `created_at`, here and below, identifies the store; if it was replaced by another since, the call does nothing.
        """

    async def mark_resumed(self, created_at: float, settle_after: float) -> None:
        """Note that all records were resumed; from `settle_after` on (epoch seconds), sessions may be settled."""

    async def offer_parts(self, created_at: float, sharer: str, parts: Sequence[str], *, are_first: bool) -> None:
        """Offer parts of the records to all processes, to be resumed; `are_first`: in the place of earlier ones."""

    async def take_part(
        self, created_at: float, now: float, *, sharer: str = "", done: str = "", takes: bool = True
    ) -> Share:
        """Note that a part is `done`, and take another one, of a process or of the latest that offered any.

        One that is not done within some seconds is given to another process.
        """

    async def hold_back(self, created_at: float, settle_after: float) -> None:
        """Hold back what the clock ends until `settle_after` (epoch seconds): a process still has to report."""

    async def reap(self, now: float) -> Sequence[str]:
        """Remove the tabs of processes whose lease lapsed; return the names of those processes."""

    def is_holding_back(self, now: float) -> bool:
        """Return whether nothing may be settled at `now`."""

    def read_time(self, process: str) -> Reading | None:
        """Return the time that all processes share; None where there is one process with a clock of its own."""

    async def aread_time(self, process: str) -> Reading | None:
        """Async version of `read_time`."""

    async def correct_time(self, reading: Reading, by: float) -> bool:
        """Correct the shared time, whose clock was set, by so many seconds, unless it was corrected since `reading`.

        Return whether this call did it.
        """


class Statistics(Protocol):
    """Counts and lists the live sessions."""

    async def census(self) -> Census:
        """Count the live sessions; the cost does not grow with their number."""

    async def list(
        self, phase: Phase | None, connected: bool | None, offset: int, limit: int, *, reverse: bool = False
    ) -> Listing:
        """List live sessions by index: the warned before the active, and in each phase the one that ends next first.

        The phase is the one that the tabs were told; None for either filter means any. `reverse` turns the list round.
        """

    async def take_sample(self, now: float, every: float, keep: float) -> Sample | None:
        """Keep a census, unless one of the last `every` seconds is kept; forget those older than `keep` seconds.

        Returns:
            The sample; None where none was taken.
        """

    async def samples(self, after: float = 0.0) -> Sequence[Sample]:
        """Return the samples taken later than `after` (epoch seconds), the oldest first."""

    async def restore_samples(self, samples: Sequence[Sample]) -> None:
        """Replace the samples by those that were taken before this process began; a shared store keeps its own."""


class Store(abc.ABC):
    """A backend, as the setting `STORE` names one: the four contracts, and the connections they share.

    Every operation of a shared store, those of its parts too, raises `StoreUnavailable` where it can't be reached.
    Times are epoch seconds and come from the caller.
    """

    shared: ClassVar[bool]
    """Whether several processes see the same sessions through it."""

    sessions: SessionStore
    queue: DueQueue
    presence: Presence
    statistics: Statistics

    def __init__(self, location: str | None, options: Mapping[str, object]) -> None:
        """Take `LOCATION` and `OPTIONS` of the setting `STORE`."""
        self.location = location
        self.options = options

    def on_outage(self, callback: Callable[[], None]) -> None:  # noqa: B027 - one in memory is always there
        """Call `callback`, from any thread, whenever the store can't be reached or refuses a request."""

    def leave_ends(self) -> None:  # noqa: B027 - one in memory knows of all activity
        """Leave it to `SessionStore.end` to end what is over by the clock: the records may have later activity."""

    async def ping(self) -> None:  # noqa: B027 - one in memory is always there
        """Check that the store can be reached, and written to.

        Raises:
            StoreUnavailable: it can't.
        """

    async def find_flaws(self) -> Sequence[str]:
        """Return what is wrong with how the store is set up, in a sentence each."""
        return []

    async def inspect(self) -> StoreCondition | None:
        """Return how the store is set up, and how it does; None for one in memory. It changes nothing.

        Raises:
            StoreUnavailable: it does not answer.
        """
        return None

    @abc.abstractmethod
    def clear(self) -> None:
        """Forget everything."""

    async def aclose(self) -> None:  # noqa: B027 - a store that holds nothing open has nothing to close
        """Close the connections of the running event loop."""

    def close(self) -> None:  # noqa: B027 - as `aclose`
        """Close all connections and stop all threads."""
