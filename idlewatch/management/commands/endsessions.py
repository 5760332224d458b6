"""End sessions."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import Max

from idlewatch.core.activity import Reason
from idlewatch.core.clock import as_datetime
from idlewatch.management.options import add_user_option, confirm, of_user, progress
from idlewatch.models import WatchedSession
from idlewatch.monitor import records, stores
from idlewatch.monitor import service as monitor
from idlewatch.process import now
from idlewatch.signals import dispatcher

RECEIVERS_TIMEOUT = 60.0
"""Seconds that the command waits for the receivers of the signals."""


class Command(BaseCommand):
    """End the sessions that are live when the command starts: all, or those of one user."""

    help = "End all live sessions, or those of one user; their tabs show it within a second."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        whose = parser.add_mutually_exclusive_group(required=True)
        add_user_option(whose)
        whose.add_argument("--all", action="store_true", help="sessions of every user")
        parser.add_argument("--noinput", "--no-input", action="store_true", help="do not ask for confirmation")

    def handle(self, *_args: object, **options: Any) -> None:
        """Ask for confirmation, then end the sessions."""
        rows = of_user(WatchedSession.objects.live(), options["user"])
        # Not by the clock of this host: those of the web processes may be ahead of it.
        newest = rows.aggregate(newest=Max("started"))["newest"]
        if newest is None:
            self.stdout.write("No live sessions.")
            return
        rows = rows.filter(started__lte=newest)
        count = rows.count()
        whose = "of every user" if options["user"] is None else f"of {options['user']}"
        confirm(f"This ends {_sessions(count)} {whose}.", ask=not options["noinput"])
        # Before the first `now()`: opening a shared store corrects this process's clock.
        stores.current()
        ended, last = 0, ""
        with progress(self.stderr, count, "sessions") as advance:
            # In batches: databases differ in what a query reads while its rows change.
            while batch := list(rows.after(last).values_list("pk", flat=True)[: records.BATCH_SIZE]):
                for watch_id in batch:
                    ended += _end(watch_id, now())
                    advance(1)
                last = batch[-1]
        self.stdout.write(f"Ended {_sessions(ended)}.")
        dispatcher.wait(RECEIVERS_TIMEOUT)


def _end(watch_id: str, at: float) -> bool:
    """End a session; return whether this call ended it, and not the clock or another process."""
    if stores.current().shared:
        activity = monitor.end(watch_id, Reason.REVOKED, at).activity
        # Another time means another process. The records, which stand in for a store, have microseconds.
        is_ours = activity.ended is not None and as_datetime(activity.ended) == as_datetime(at)
        return is_ours and activity.reason is Reason.REVOKED
    return monitor.end_by_record(watch_id, Reason.REVOKED, at)


def _sessions(count: int) -> str:
    return "1 session" if count == 1 else f"{count} sessions"
