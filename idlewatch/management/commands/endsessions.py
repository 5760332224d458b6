"""End sessions."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import Max

from idlewatch.core.activity import Reason
from idlewatch.core.clock import as_datetime
from idlewatch.management.choosing import add_user_option, confirm, of_user, progress
from idlewatch.models import WatchedSession
from idlewatch.monitor import records
from idlewatch.monitor import service as monitor
from idlewatch.process import now
from idlewatch.signals import dispatcher

PATIENCE = 60.0
"""Seconds that the receivers of the signals are given to be told of all ends."""


class Command(BaseCommand):
    """End all sessions, or those of one user: those that are live when the command begins."""

    help = "End all live sessions, or those of one user; their tabs are told within a second."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Say whose."""
        whose = parser.add_mutually_exclusive_group(required=True)
        add_user_option(whose)
        whose.add_argument("--all", action="store_true", help="those of every user")
        parser.add_argument("--noinput", "--no-input", action="store_true", help="ask no question")

    def handle(self, *_args: object, **options: Any) -> None:
        """Ask, then end them."""
        rows = of_user(WatchedSession.objects.live(), options["user"])
        # By no clock of this host: those that began the sessions may be ahead of it.
        newest = rows.aggregate(newest=Max("started"))["newest"]
        if newest is None:
            self.stdout.write("No live sessions.")
            return
        rows = rows.filter(started__lte=newest)
        count = rows.count()
        whose = "of every user" if options["user"] is None else f"of {options['user']}"
        confirm(f"This ends {_sessions(count)} {whose}.", ask=not options["noinput"])
        # First of all: to open a store that is shared puts this process's clock right.
        monitor.store()
        ended, last = 0, ""
        with progress(self.stderr, count, "sessions") as advance:
            # By batches: to read on while rows change under the query means something else on each database.
            while batch := list(rows.after(last).values_list("pk", flat=True)[: records.BATCH]):
                for watch_id in batch:
                    ended += _end(watch_id, now())
                    advance(1)
                last = batch[-1]
        self.stdout.write(f"Ended {_sessions(ended)}.")
        dispatcher.wait(PATIENCE)


def _end(watch_id: str, at: float) -> bool:
    """End a session; return whether it ended by that: not by the clock, nor by somebody else."""
    if monitor.store().shared:
        activity = monitor.end(watch_id, Reason.REVOKED, at).activity
        # At another moment it was somebody else. The records, which stand in for a store, keep microseconds.
        is_ours = activity.ended is not None and as_datetime(activity.ended) == as_datetime(at)
        return is_ours and activity.reason is Reason.REVOKED
    return monitor.end_by_record(watch_id, Reason.REVOKED, at)


def _sessions(count: int) -> str:
    return "1 session" if count == 1 else f"{count} sessions"
