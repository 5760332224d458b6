"""What users, tabs, records and receivers saw, and the invariants that it must keep."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from idlewatch.core.activity import HOLD_TTL
from idlewatch.core.protocol import MIN_LAG
from idlewatch.monitor.heartbeats import COLLECTION_TIME
from idlewatch.runtime.timer import CLAIM_LEASE

if TYPE_CHECKING:
    from tests.simulation.servers import Server
    from tests.simulation.world import World

BLUR = 0.15
"""Seconds within which two machines see one moment."""
SKEW = 2.6
"""The same, where their clocks differ: they are put right when they are 2 s apart."""

OWNER_DELAY = 1.2
"""Seconds within which the owner of the memory store sees that another process closed a record."""


class Try(NamedTuple):
    """Something by which a session may go on."""

    moment: float
    held: float = 0.0
    """For how many seconds a hold may stop the clock from then on."""
    is_activity: bool = False
    """Whether it is mere activity, which extends nothing once the session is warned."""
    is_hold: bool = False
    """Whether a page may hold the session for a while from then on: activity meanwhile begins a new stretch."""


@dataclass
class Asked:
    """A wish to end all sessions of a user."""

    moment: float
    user: str
    reason: str
    spared: str | None = None
    """The session that is to go on: it is the one in which the password was changed."""


@dataclass
class Session:
    """What was seen of one session."""

    user: str = ""
    began: float = 0.0
    signed_in: float = 0.0
    restarted: float = 0.0
    """When its last sign-in began, of those that were answered."""
    failed_sign_in: float = 0.0
    """When a sign-in over it failed that may have restarted its clocks: the database was away for its record."""
    credited: list[tuple[float, Server | None]] = field(default_factory=list)
    """Moments at which a server has certainly seen its user act."""
    tries: list[Try] = field(default_factory=list)
    left: list[float] = field(default_factory=list)
    """When its last tab was closed, as far as is certain."""
    closes: list[float] = field(default_factory=list)
    """When a tab was closed."""
    released: list[float] = field(default_factory=list)
    """When a release was handled, before anything went wrong."""
    shown: list[tuple[float, bool | None]] = field(default_factory=list)
    """When a page was shown, and whether with the client; None: it is not certain what it was."""
    has_polled: bool = False
    """Whether a page without a socket was open."""
    handled: list[tuple[float, float, Server]] = field(default_factory=list)
    """Activity that was reported over a socket, when it arrived, and the server that took it."""
    told: list[tuple[float, str | None, str]] = field(default_factory=list)
    """When someone learnt that it ended, the reason, and who."""
    signals: list[tuple[float, str]] = field(default_factory=list)
    served: list[float] = field(default_factory=list)
    asked: list[tuple[float, str]] = field(default_factory=list)
    """When someone asked for an end, with its reason."""


class Seen:
    """The notes of one schedule."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.sessions: defaultdict[str, Session] = defaultdict(Session)
        self.violations: list[str] = []
        self.losses: list[float] = []
        """When the store lost data."""
        self.evictions: list[float] = []
        """Those of them by which it lost some sessions alone."""
        self.outages: list[float] = []
        """When the store could not be reached any more."""
        self.failures: list[str] = []
        self.asked: list[Asked] = []

    def violate(self, rule: str, text: str) -> None:
        self.violations.append(f"{rule}: {text}")

    def opened(self, watch: str, user: str, began: float, at: float) -> None:
        session = self.sessions[watch]
        session.user = user
        session.began = session.began or began
        session.signed_in, session.restarted = at, began
        session.tries.append(Try(began, at - began))
        session.credited.append((began, None))

    def failed_to_sign_in(self, watch: str | None, began: float, at: float) -> None:
        if watch is not None and self._world.database.struck_at >= began:
            self.sessions[watch].failed_sign_in = at

    def tried(
        self, watch: str | None, at: float, *, lasted: float = 0.0, holds: bool = False, is_activity: bool = False
    ) -> None:
        """Note what may extend a session; `lasted`: a request may also do so at any later moment of its work."""
        if watch is not None:
            # After a whole idle limit the session is over, and the request credits nothing to it any more.
            worked = min(lasted, self._world.limits.idle_timeout)
            held = min(self._world.limits.hold_limit, 60.0) if holds else worked
            self.sessions[watch].tries.append(Try(at, held, is_activity, holds))

    def handled(self, watch: str, moment: float, arrived: float, server: Server) -> None:
        self.sessions[watch].handled.append((moment, arrived, server))

    def left(self, watch: str | None, at: float) -> None:
        if watch is not None:
            self.sessions[watch].left.append(at)

    def shown(self, watch: str | None, at: float, *, has_client: bool | None) -> None:
        if watch is not None:
            self.sessions[watch].shown.append((at, has_client))

    def served(self, watch: str, arrived: float, server: Server, *, counts: bool) -> None:
        session = self.sessions[watch]
        session.served.append(arrived)
        if counts:
            session.credited.append((arrived, server))
            session.tries.append(Try(arrived))

    def promised(self, watch: str, frame: dict[str, Any], at: float, server: Server) -> None:
        """Note a state frame: it says how long the session lives at least."""
        # A push that came after the end has no time left to promise: its countdown stops at 0.
        if frame.get("phase") in {"active", "warned"} and frame["remaining"] > 0.0:
            # A push that took a little less than that on its way shows what it had at its start.
            moment = at + frame["remaining"] - frame["idle_timeout"] - MIN_LAG
            self.sessions[watch].credited.append((min(moment, at), server))

    def polled(self, watch: str | None) -> None:
        if watch is not None:
            self.sessions[watch].has_polled = True

    def extended(self, watch: str, answers: Sequence[tuple[dict[str, Any], float]], at: float) -> None:
        """Compare the answers to an extension with it: the session has its whole idle limit from then on."""
        if any(frame.get("phase") == "ended" for frame, _ in answers):
            # It came too late; what else was sent meanwhile is a push from before.
            return
        limits, began = self._world.limits, self.sessions[watch].began
        absolute_end = began + (limits.absolute_timeout or float("inf"))
        shown = [
            sent_at + frame["remaining"] - limits.idle_timeout
            for frame, sent_at in answers
            # A push that a stopped server sent after the end has nothing left to show.
            if frame.get("remaining", 0.0) > 0.0 and sent_at + limits.idle_timeout < absolute_end
        ]
        if shown and max(shown) < at - self._tolerance() - MIN_LAG:
            self.violate("extends", f"{watch} was extended at {at:.2f}, and is active since {max(shown):.2f}")

    def told(self, watch: str | None, reason: str | None, at: float, who: str) -> None:
        if watch is not None:
            self.sessions[watch].told.append((at, reason, who))

    def signalled(self, watch: str, reason: str, at: float) -> None:
        self.sessions[watch].signals.append((self._world.now, reason))

    def asked_for(self, watch: str | None, reason: str, at: float | None = None) -> None:
        if watch is not None:
            self.sessions[watch].asked.append((self._world.now if at is None else at, reason))

    def asked_for_all_of(self, user: str, reason: str) -> Asked:
        self.asked.append(Asked(self._world.now, user, reason))
        return self.asked[-1]

    def failed(self, response: Any, at: float) -> None:
        if self._world.now - self._world.database.struck_at < 5.0:
            # A view of the site, or Django itself, was in the middle of a transaction.
            return
        self.failures.append(f"{at:.2f}: {getattr(response, 'reason_phrase', '')} {self._world.last_error}")

    def latest(self, watch: str | None) -> float | None:
        """Return when the user of a session acted last, as far as is known."""
        if watch is None or not self.sessions[watch].credited:
            return None
        return max(moment for moment, _ in self.sessions[watch].credited)

    def check(self, records: list[Any]) -> None:
        """Compare what was seen with the records, at the end."""
        known = {record.pk: record for record in records}
        for watch, session in self.sessions.items():
            record = known.get(watch)
            self._check_once(watch, session, record)
            self._check_final(watch, session, record)
            self._check_late(watch, session, record)
            self._check_left(watch, session, record)
            if record is not None and record.ended is not None:
                self._check_early(watch, session, record)
                self._check_reason(watch, session, record)
        for failure in self.failures:
            self.violate("no 500", failure)

    def _check_once(self, watch: str, session: Session, record: Any) -> None:
        if len(session.signals) > 1:
            self.violate("once", f"{watch} was announced {len(session.signals)} times: {session.signals}")
        reasons = {reason for _, reason, _ in session.told} | {reason for _, reason in session.signals}
        if record is not None and record.ended is not None:
            reasons.add(record.reason)
        if self._is_seen_later(reasons):
            return
        if len(reasons - {None}) > 1:
            self.violate("once", f"{watch} ended for {sorted(map(str, reasons))}: {session.told}, {session.signals}")
        if session.told and record is not None and record.ended is None:
            self.violate("final", f"{watch} was told to have ended ({session.told[0]}), and its record is open")

    def _check_final(self, watch: str, session: Session, record: Any) -> None:
        known = [at for at, _, _ in session.told] + [at for at, _ in session.signals]
        if known:
            first = min(known)
            bound = first + (OWNER_DELAY if self._is_seen_later({reason for _, reason in session.signals}) else 0.02)
            late = [at for at in session.served if at > bound]
            if late:
                self.violate("final", f"{watch} had ended at {first:.2f}, and was served at {late[0]:.2f}")

    def _check_late(self, watch: str, session: Session, record: Any) -> None:
        limits, tolerance = self._world.limits, self._tolerance()
        lives = [(at, "was served") for at in session.served]
        if record is not None and record.reason in {"idle", "closed", "absolute"}:
            lives.append((record.ended.timestamp(), f"ended {record.reason}"))
        for at, what in lives:
            deadline, lapses = None, 0.0
            for moment, held, is_activity, is_hold in sorted(session.tries):
                is_warned_off = is_activity and not limits.activity_extends_warning
                last = None if deadline is None else deadline - limits.warn_before * is_warned_off + tolerance
                # A page that outlived another session may report what was done in that.
                if session.began <= moment < at and (last is None or moment <= last):
                    lapses = moment + HOLD_TTL if is_hold else lapses
                    stretch = max(held, min(limits.hold_limit, lapses - moment))
                    stretch = min(stretch, _released_at(session, moment) - moment)
                    deadline = max(deadline or 0.0, moment + stretch + limits.idle_timeout)
            if deadline is not None and at > deadline + tolerance:
                self.violate("late", f"{watch} {what} at {at:.2f}, and its end was at {deadline:.2f} at the latest")
            signed_in = max(session.signed_in, session.failed_sign_in)
            absolute_end = signed_in + (limits.absolute_timeout or float("inf"))
            if session.began and at > absolute_end + tolerance:
                self.violate("late", f"{watch} {what} at {at:.2f}, and began at {session.signed_in:.2f}")

    def _check_left(self, watch: str, session: Session, record: Any) -> None:
        """Compare the end with when the browser was closed, where nothing disturbs the counts of tabs."""
        grace, world = self._world.limits.close_grace, self._world
        is_disturbed = any(each.is_dead or each.was_disturbed for each in world.every_server)
        if grace is None or record is None or is_disturbed or self.outages or self.losses or session.has_polled:
            return
        for left in session.left:
            pages = [has_client for at, has_client in session.shown if at < left]
            is_back = any(each.moment > left - 1.0 for each in session.tries) or any(
                stay.watch == watch and stay.began >= left for stay in world.stays
            )
            end = left + grace + 2.0 + self._tolerance()
            ended = world.now if record.ended is None else record.ended.timestamp()
            if pages and pages[-1] and not is_back and ended > end:
                self.violate("closed", f"{watch} was left at {left:.2f}, and ended {record.reason} at {ended:.2f}")

    def _check_early(self, watch: str, session: Session, record: Any) -> None:
        limits, tolerance = self._world.limits, self._tolerance()
        ended = record.ended.timestamp()
        active = self._last_credit(watch, session, ended)
        if record.reason == "idle" and ended < active + limits.idle_timeout - tolerance:
            self.violate("early", f"{watch} ended idle at {ended:.2f}, though active at {active:.2f}")
        if record.reason == "closed" and limits.close_grace is not None:
            closed = ended - limits.close_grace
            if active > closed + tolerance:
                self.violate("early", f"{watch} ended closed at {ended:.2f}, though active at {active:.2f}")
            for tab in self._world.open_tabs(watch):
                if tab.opened_at < closed - 1.0 and not tab.socket.server.was_disturbed:
                    self.violate(
                        "early", f"{watch} ended closed at {ended:.2f}, with a tab open since {tab.opened_at:.2f}"
                    )
        if record.reason == "absolute" and (
            limits.absolute_timeout is None or ended < session.began + limits.absolute_timeout - tolerance
        ):
            self.violate("early", f"{watch} ended absolute at {ended:.2f}, begun at {session.began:.2f}")

    def _last_credit(self, watch: str, session: Session, ended: float) -> float:
        """Return when the user acted last by what must not be lost."""
        limits = self._world.limits
        active = session.began
        for moment, server in sorted(session.credited, key=lambda each: each[0]):
            if moment < ended and not self._may_be_lost(watch, moment, server):
                active = max(active, moment)
        for moment, arrived, server in sorted(session.handled, key=lambda each: each[0]):
            # By the clock of the server that credited it, the user may have acted earlier.
            warned_from = active + limits.idle_timeout - limits.warn_before - self._tolerance()
            # It may have stood still while that waited for other heartbeats.
            is_credited = not server.is_dead and not any(0 <= at - arrived < 2 * COLLECTION_TIME for at in server.stops)
            is_certain = is_credited and not self._may_be_lost(watch, moment, server)
            if active < moment < min(ended - 1.0, warned_from) and is_certain:
                active = moment
        return active

    def _may_be_lost(self, watch: str, moment: float, server: Server | None) -> bool:
        """Return whether activity may be lost: up to a checkpoint of it, with a store that loses its data.

        Not where a tab is open: then the processes that know of it report it.
        """
        period, strikes = self._world.limits.checkpoint + 1.5, self._world.database.strikes
        for outage in self.outages:
            # Neither had the database the checkpoint, nor could the store be asked.
            if any(
                strike - period < moment < outage + 0.1 for strike in strikes if outage - 12.0 < strike < outage + 12.0
            ):
                return True
        for loss in self.losses:
            # A statement that failed is tried again when its claim lapses.
            struck = any(loss - 12.0 < strike < loss + 12.0 for strike in strikes)
            if loss - period - (CLAIM_LEASE if struck else 0.0) < moment < loss + 0.1:
                is_known = server is not None and not server.is_dead and self._world.story.setup.store == "redis"
                # An eviction tells no process of itself: it is seen by one that looks at the session.
                is_reported = self._world.had_tab(watch, loss) and not (struck and loss in self.evictions)
                if not (is_known and is_reported):
                    return True
        return False

    def _check_reason(self, watch: str, session: Session, record: Any) -> None:
        reason, ended = record.reason, record.ended.timestamp()
        if reason in {"idle", "closed", "absolute"}:
            return
        if reason in {"lost", "logout"} and not session.served:
            # A sign-in whose view failed, or whose answer got lost: no browser has its cookie.
            return
        active = self._last_credit(watch, session, ended)
        if reason == "logout" and ended >= active + self._world.limits.idle_timeout - self._tolerance():
            # It was over when its user tried to sign in again, and that failed.
            return
        ended += 60.0 if self._world.is_skewed else SKEW
        asked = [at for at, what in session.asked if what == reason and at <= ended]
        asked += [
            each.moment
            for each in self.asked
            if (each.user, each.reason) == (record.username, reason) and each.moment <= ended and each.spared != watch
        ]
        if reason == "replaced":
            if self._world.story.setup.max_sessions is None:
                self.violate("reason", f"{watch} ended as replaced, and any number is allowed")
        elif not asked:
            self.violate("reason", f"{watch} ended as {reason} at {ended:.2f}, for which no one asked: {session.asked}")

    def _is_seen_later(self, reasons: Collection[str | None]) -> bool:
        """Return whether another process may have closed a record, which the owner of the memory store sees later."""
        setup = self._world.story.setup
        return setup.store == "memory" and setup.servers > 1 and not {"revoked", "account"}.isdisjoint(reasons)

    def _tolerance(self) -> float:
        return SKEW + self._world.lag if self._world.is_skewed else BLUR


def _released_at(session: Session, moment: float) -> float:
    """Return when what held a session at a moment was released (`inf`: that is not certain)."""
    holds = [each.moment for each in session.tries if each.is_hold]
    # A hold that came just before may have been written afterwards.
    releases = (at for at in session.released if at > moment and not any(at - 1.0 < hold < at for hold in holds))
    return min(releases, default=float("inf"))
