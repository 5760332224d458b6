"""What this process last saw of the sessions in a shared store: to be reported if it loses its data, or goes away."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from idlewatch.conf import conf
from idlewatch.core.activity import Activity, Reason
from idlewatch.core.clock import Clock
from idlewatch.core.events import Reported
from idlewatch.core.reducer import reported
from idlewatch.store.transitions import version_at
from idlewatch.store.values import Touch, Watched

CHECKPOINT_MARGIN = 30.0
"""Seconds that a checkpoint may be late, because the database was away or the process that made it has died."""
NOTHING = Reported(0.0)


class _Seen(Struct, frozen=True, gc=False):
    """What was seen of one session."""

    report: Reported
    at: float
    """When it was seen (epoch seconds)."""
    version: int
    """The version of the session in the store then."""
    ended: Activity | None
    """All facts, if it had ended then."""


_UNSEEN = _Seen(NOTHING, 0.0, 0, None)


class LastSeen:
    """The latest activity and holds that this process has seen of each session; its record may not have them yet.

    Thread-safe: each step is one atomic operation of a dictionary.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: dict[str, _Seen] = {}
        self._forgot_at = float("-inf")

    def note(self, watched: Watched) -> bool:
        """Note when the user of a session was last active, and what holds it, as the store has it.

        Return whether the store has lost activity that was seen: a later version of a session never has less, unless it
        was opened again from its record. An earlier version is an answer that was overtaken.
        """
        activity, known = watched.activity, self._seen.get(watched.id)
        report = report_of(activity)
        if known is not None and activity.active <= known.report.active and not _is_later(report, known.report):
            if activity.ended is None:
                return report.active < known.report.active and watched.version > known.version
            report = known.report
        ended = None if activity.ended is None else activity
        self._seen[watched.id] = _Seen(report, self._clock.now(), watched.version, ended)
        return False

    def note_touch(self, touch: Touch) -> None:
        """Note activity that the store credited, and that changed nothing else."""
        known = self._seen.get(touch.watch_id, _UNSEEN)
        if touch.moment > known.report.active:
            report = Reported(touch.moment, known.report.logged_in_at, known.report.held_until)
            version = max(known.version, version_at(touch.now))
            self._seen[touch.watch_id] = _Seen(report, self._clock.now(), version, known.ended)

    def get(self, watch_id: str, *, is_open: bool = False) -> Reported:
        """Return a report of what was seen of a session; `NOTHING` if it was not seen.

        `is_open`: whether it has a tab here. If not, what held it may have been released elsewhere since.
        """
        seen = self._seen.get(watch_id)
        if seen is None:
            return NOTHING
        return seen.report if is_open else replace(seen.report, held_until=min(seen.report.held_until, seen.at))

    def end_of(self, watch_id: str) -> tuple[Reason, float] | None:
        """Return why and when (epoch seconds) a session ended, if that was seen."""
        activity = self._seen.get(watch_id, _UNSEEN).ended
        if activity is None or activity.ended is None:
            return None
        return activity.reason or Reason.LOST, activity.ended

    def added_to(self, watched: Watched, now: float) -> Watched:
        """Return a session with what was seen of it, also its end, which its record may not have yet."""
        seen = self._seen.get(watched.id)
        if seen is not None and seen.ended is not None:
            return replace(watched, activity=seen.ended)
        activity = reported(self.get(watched.id), watched.activity, watched.policy, now)
        return replace(watched, activity=activity)

    def watch_ids(self) -> Sequence[str]:
        """Return the ids of all sessions that were seen."""
        return list(self._seen)

    def recent(self) -> Mapping[str, float]:
        """Return when users acted last, by watch id, where no record may have that yet (epoch seconds)."""
        since = self._clock.now() - _retention()
        return {watch_id: seen.report.active for watch_id, seen in list(self._seen.items()) if seen.at >= since}

    def forget(self, now: float, keep: Container[str]) -> None:
        """Forget what the records have by now, except for the sessions in `keep`, which have a tab here."""
        if now < self._forgot_at + CHECKPOINT_MARGIN:
            return
        self._forgot_at = now
        for watch_id, seen in list(self._seen.items()):
            if seen.at < now - _retention() and watch_id not in keep:
                self._seen.pop(watch_id, None)


def _retention() -> float:
    return 2 * conf.policy.checkpoint + CHECKPOINT_MARGIN


def report_of(activity: Activity) -> Reported:
    """Return the event that reports these facts to a store."""
    return Reported(activity.active, activity.logged_in_at, activity.held_until, activity.held_since)


def is_behind(present: Watched, known: Watched) -> bool:
    """Return whether the store's facts of a live session are older than `known`."""
    has, knows = present.activity, known.activity
    facts = ((has.active, knows.active), (has.logged_in_at, knows.logged_in_at), (has.held_until, knows.held_until))
    return has.ended is None and any(less < more for less, more in facts)


def _is_later(report: Reported, known: Reported) -> bool:
    if report.active != known.active:
        return report.active > known.active
    # A store that lost its data may have the activity from the record, but not the holds since.
    is_lost = report.held_since is None and known.held_since is not None
    return not is_lost and (report.held_until, report.held_since) != (known.held_until, known.held_since)
