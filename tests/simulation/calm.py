"""Rules that hold while nothing has gone wrong yet: what is asked for happens, soon, and nothing else does.

Faults excuse much of this; `seen` has what holds amid them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.sessions.models import Session as DjangoSession

from idlewatch.models import WatchedSession
from idlewatch.monitor.django_sessions import WATCH_KEY

if TYPE_CHECKING:
    from tests.simulation.seen import Session
    from tests.simulation.tabs import Tab
    from tests.simulation.world import World

SOON = 6.0
"""Seconds within which a session ends for which that was asked: checks and doubts come in rounds."""
CLOSE_DELAY = 3.0
"""Seconds in which a server has handled that a tab was closed."""
MARGIN = 0.5
"""Seconds by which two moments must differ for their order to be certain."""


class Calm:
    """The notes of one schedule up to its first fault."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.until = float("-inf") if world.story.setup.skewed else float("inf")
        """When the first fault struck."""
        self._asked: list[tuple[str, str, float, float]] = []
        """Sessions that are to end, why, and when that was asked and answered."""

    def disturb(self) -> None:
        """Note that a fault strikes."""
        self.until = min(self.until, self._world.now)

    @property
    def lasts(self) -> bool:
        """Whether nothing has gone wrong yet."""
        return self._world.now < self.until

    def must_end(self, watch: str | None, why: str, asked_at: float) -> None:
        """Note that a session is to end, as was asked for and answered just now."""
        if watch is not None and self.lasts:
            self._asked.append((watch, why, asked_at, self._world.now))

    def must_end_all_of(self, user: str, why: str, asked_at: float, spared: str | None = None) -> None:
        """Note that all sessions of a user are to end but one."""
        for watch, session in self._world.seen.sessions.items():
            if session.user == user and watch != spared and session.signed_in < asked_at - MARGIN:
                self.must_end(watch, why, asked_at)

    def signed_in(self, user: str) -> None:
        """Count the sessions of a user who signed in just now, in a while."""
        if self._world.story.setup.max_sessions is not None and self.lasts:
            self._world.loop.call_later(SOON / 2, self._count, user, 1)

    def _count(self, user: str, tries: int) -> None:
        most, live = self._world.story.setup.max_sessions, WatchedSession.objects.live().filter(username=user).count()
        if most is None or live <= most or not self.lasts:
            return
        if tries:
            # Another sign-in may be about to end the oldest.
            self._world.loop.call_later(SOON / 2, self._count, user, tries - 1)
        else:
            self._world.seen.violate("replaced", f"{user} has {live} sessions at {self._world.now:.2f}, of {most}")

    def told_of_end(self, tab: Tab, frame: dict[str, Any], before: dict[str, Any]) -> None:
        """Compare the end that a tab is told of with what it showed before: a warning, for long enough."""
        warn_before = self._world.limits.warn_before
        was_there = tab.is_open and tab.opened_at < self._world.now - warn_before - 1.0
        if self.lasts and frame["reason"] == "idle" and was_there and before.get("phase") != "warned":
            self._world.seen.violate("warned", f"a tab of {tab.watch} was not, before the end: {before}")

    def check(self, records: dict[str, WatchedSession]) -> None:
        """Compare what was seen with the records, at the end."""
        for watch, why, asked_at, answered_at in self._asked:
            by = answered_at + SOON
            record, session = records.get(watch), self._world.seen.sessions[watch]
            if record is None or session.signed_in > asked_at - MARGIN or not by < min(self.until, self._world.now):
                continue
            if record.ended is None or record.ended.timestamp() > by:
                self._world.seen.violate("asked", f"{watch} was to end ({why}) at {asked_at:.2f}: {record.ended}")
        for watch, record in records.items():
            if record.ended is None or record.ended.timestamp() > self.until:
                continue
            if record.reason == "absolute":
                self._check_absolute(self._world.seen.sessions[watch], record)
            if record.reason == "closed":
                self._check_closed(watch, self._world.seen.sessions[watch], record.ended.timestamp())
            if record.reason == "replaced":
                self._check_replaced(record, records)
        if self.lasts and self._world.story.setup.engine == "db":
            self._check_django_sessions(records)

    def _check_closed(self, watch: str, session: Session, ended: float) -> None:
        """Compare the end with when a tab was closed, and by which page."""
        closed_at = ended - (self._world.limits.close_grace or 0.0)
        closes = [at for at in session.closes if closed_at - CLOSE_DELAY < at < closed_at + MARGIN]
        if not closes:
            self._world.seen.violate("closed", f"{watch} ended closed at {ended:.2f}, and closed no tab for that")
            return
        shown = [(at, has_client) for at, has_client in session.shown if at < closed_at + MARGIN]
        if shown and shown[-1][1] is False and shown[-1][0] < closes[-1] - 1.0:
            self._world.seen.violate("closed", f"{watch} ended closed at {ended:.2f}, on a page without the client")

    def _check_absolute(self, session: Session, record: WatchedSession) -> None:
        """Compare the end with the last sign-in, from which the absolute timeout runs."""
        limit = self._world.limits.absolute_timeout or 0.0
        if record.ended is not None and record.ended.timestamp() < session.restarted + limit - MARGIN:
            self._world.seen.violate("early", f"{record.pk} ended absolute, signed in again at {session.restarted:.2f}")

    def _check_replaced(self, record: WatchedSession, records: dict[str, WatchedSession]) -> None:
        most = self._world.story.setup.max_sessions or 0
        newer = [
            each
            for each in records.values()
            if each.username == record.username and each.pk != record.pk and each.signed_in >= record.signed_in
        ]
        if len(newer) < most:
            self._world.seen.violate("replaced", f"{record.pk} made room, and {len(newer)} are newer, of {most}")

    def _check_django_sessions(self, records: dict[str, WatchedSession]) -> None:
        for row in DjangoSession.objects.all():
            record = records.get(row.get_decoded().get(WATCH_KEY, ""))
            if record is not None and record.ended is not None and record.ended.timestamp() < self._world.now - SOON:
                self._world.seen.violate("final", f"{record.pk} ended {record.reason}, and its Django session stands")
