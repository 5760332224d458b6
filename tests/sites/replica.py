"""A read replica that has not caught up since the site was made: everything but a test's patience is shorter."""

from __future__ import annotations

from typing import Any


class Router:
    """Reads from the replica, as Django's documentation has it."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "replica"

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return "default"

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == "default"


def copy() -> None:
    """Make the replica from what the primary has."""
    from django.db import connections

    replica = str(connections["replica"].settings_dict["NAME"])
    with connections["default"].cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [replica])
