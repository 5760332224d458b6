"""`manage.py setaside`: a demo database that can't be migrated makes room for a new one."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from django.core.management.base import BaseCommand
from django.db import connection

from idlewatch.management.schema import is_outdated

COMPANIONS = ("", "-wal", "-shm")
"""Suffixes of the files that make up an SQLite database."""


class Command(BaseCommand):
    """Rename the demo's database file if its tables are outdated; leave any other database alone."""

    help = "Renames db.sqlite3, the demo's database, if it was made by an idlewatch whose tables can't be migrated."

    def handle(self, *_args: object, **_options: object) -> None:
        """Rename the files, and print the new name."""
        database = Path(connection.settings_dict["NAME"])
        if os.environ.get("DATABASE_URL") or not database.exists() or not is_outdated():
            return
        connection.close()
        aside = f"{database.name}.old-{datetime.now():%Y%m%d-%H%M%S}"  # noqa: DTZ005 - the time on the user's clock
        for suffix in COMPANIONS:
            path = database.with_name(f"{database.name}{suffix}")
            if path.exists():
                path.rename(path.with_name(f"{aside}{suffix}"))
        self.stdout.write(f"{database.name} has tables of an older idlewatch: it is kept as {aside}, and made again.")
