"""Delete old records."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from idlewatch.conf import conf
from idlewatch.core.clock import as_datetime
from idlewatch.management.options import age, confirm, progress
from idlewatch.monitor import pruning
from idlewatch.process import now


class Command(BaseCommand):
    """Delete the records of sessions that ended long ago."""

    help = "Delete the records of sessions that ended longer ago than an age; live ones stay."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument(
            "--older-than", type=age, required=True, metavar="AGE", help="minutes, hours, days or weeks: 90d"
        )
        parser.add_argument("--dry-run", action="store_true", help="only count them")
        parser.add_argument("--noinput", "--no-input", action="store_true", help="do not ask for confirmation")

    def handle(self, *_args: object, **options: Any) -> None:
        """Ask for confirmation, then delete the records."""
        least = timedelta(seconds=conf.session_cookie_age)
        older: timedelta = options["older_than"]
        if older < least:
            raise CommandError(
                f"--older-than is {older}; expected at least SESSION_COOKIE_AGE, which is {least}: until then a "
                "browser may come back with the cookie of a session, and its record tells why it ended."
            )
        moment = now() - older.total_seconds()
        rows = pruning.ended_before(moment)
        before, count = as_datetime(moment), rows.count()
        description = f"{_records(count)} of sessions that ended before {before:%Y-%m-%d %H:%M} UTC"
        if options["dry_run"] or not count:
            self.stdout.write(f"{description}." if count else f"No {description.partition(' ')[2]}.")
            return
        confirm(f"This deletes {description}.", ask=not options["noinput"])
        deleted = 0
        with progress(self.stderr, count, "records") as advance:
            for gone in pruning.delete(rows):
                deleted += gone
                advance(gone)
        self.stdout.write(f"Deleted {_records(deleted)}.")


def _records(count: int) -> str:
    return "1 record" if count == 1 else f"{count} records"
