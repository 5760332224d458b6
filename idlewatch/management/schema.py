"""The schema of databases that idlewatch used before its first release, when its migrations had other names."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.recorder import MigrationRecorder

FORMER_MIGRATIONS = frozenset(
    ("idlewatch", name) for name in ("0001_initial", "0002_draft", "0003_live", "0001_sessions")
)


def is_outdated(using: str = DEFAULT_DB_ALIAS) -> bool:
    """Return whether a database was set up by the former migrations, which the present ones do not continue."""
    return not FORMER_MIGRATIONS.isdisjoint(MigrationRecorder(connections[using]).applied_migrations())


def refuse_outdated(using: str, **_: Any) -> None:
    """Stop `migrate` on a database that was set up by the former migrations.

    Raises:
        CommandError: it was.
    """
    if is_outdated(using):
        raise CommandError(
            f"The database {using!r} has tables of an unreleased idlewatch that can't be migrated: use a new database, "
            "or drop the tables whose names begin with idlewatch_, delete the rows of the app idlewatch from the table "
            "django_migrations, and migrate again."
        )
