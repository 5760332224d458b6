"""One session in the memory store, and when it is due."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from idlewatch.core.policy import NEVER
from idlewatch.store.values import Due, Watched

PUSH, RECORD = Due.PUSH, Due.RECORD
"""To find a member of an enum in its class takes longer than all else here."""


class Claims(Struct, frozen=True, gc=False):
    """What is claimed, settled and recorded of a session."""

    push: float | None = None
    """Until when its push is claimed; None: it is not. The same of the next two."""
    record: float | None = None
    check: float | None = None
    claimed: int = 0
    """The version at which its push was claimed last: the lease belongs to who has this version or a later one."""
    settled: int | None = None
    """The version at which a verdict was settled that is not confirmed yet."""
    recorded: bool = False
    doubted: bool = False
    unwritten: bool = False
    """Whether the record may lack its progress."""


UNCLAIMED = (Claims(), Claims(unwritten=True))
"""Two objects for all sessions of which nothing is claimed or settled: nearly all, at any moment."""


class Entry(Struct, gc=False, eq=False):
    """One session, and its moment in the queue of each kind: never later than it is due, `NEVER` where it is in none.

    It is small, and no garbage collection looks at it: nothing in it leads back to it.
    """

    watched: Watched
    check_at: float
    claims: Claims = UNCLAIMED[False]
    push: float = NEVER
    record: float = NEVER
    check: float = NEVER

    @property
    def ended(self) -> bool:
        return self.watched.activity.ended is not None

    def note(self, **changes: object) -> None:
        """Change the claims."""
        claims = replace(self.claims, **changes)
        shared = UNCLAIMED[claims.unwritten]
        self.claims = shared if claims == shared else claims

    def lease(self, due: Due, until: float) -> None:
        """Note that one kind is claimed."""
        if due is PUSH:
            self.claims = replace(self.claims, push=until, claimed=self.watched.version)
        else:
            self.claims = replace(self.claims, **{due.value: until})

    def release(self, due: Due, **changes: object) -> None:
        """Note that one kind is claimed no more, and what else changes in the claims by it."""
        if due is PUSH:
            self.note(push=None, claimed=0, **changes)
        else:
            self.note(**{due.value: None}, **changes)

    def is_claimed(self, due: Due) -> bool:
        """Return whether one kind is claimed, even if the lease has lapsed."""
        return getattr(self.claims, due.value) is not None

    def is_unfinished(self, due: Due) -> bool:
        """Return whether a claim of one kind goes on with what an earlier one began; see `Watched.unfinished`."""
        if due is Due.PUSH:
            return self.claims.settled is not None
        return due is Due.CHECK and self.claims.doubted

    def queued_at(self, due: Due) -> float:
        """Return its moment in the queue of one kind."""
        if due is PUSH:
            return self.push
        return self.record if due is RECORD else self.check

    def put_in_queue(self, due: Due, at: float) -> None:
        """Note its moment in the queue of one kind."""
        if due is PUSH:
            self.push = at
        elif due is RECORD:
            self.record = at
        else:
            self.check = at

    def due_at(self, due: Due, now: float) -> float:
        """Return when it is due; what is claimed is due again when the lease lapses."""
        if due is PUSH:
            return self._push_at(now)
        claims = self.claims
        if due is RECORD:
            at, lease = now if self.ended and not claims.recorded else NEVER, claims.record
        else:
            at, lease = NEVER if self.ended else self.check_at, claims.check
        return at if lease is None or at == NEVER else max(at, lease)

    def _push_at(self, now: float) -> float:
        lease, settled = self.claims.push, self.claims.settled
        is_settled = settled is not None and settled > self.claims.claimed
        if lease is not None and now < lease and not is_settled:
            return lease
        verdict = self.watched.verdict(now)
        next_at = NEVER if verdict.next_at is None else verdict.next_at
        changes_at = now if verdict.shown != self.watched.shown else next_at
        if settled is None:
            return changes_at
        return min(now if lease is None else lease, changes_at)
