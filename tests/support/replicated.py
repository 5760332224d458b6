"""The tests' site with a replica, from which its router has everything read; a test says when it catches up."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.support.settings import *  # noqa: F403
from tests.support.settings import _DIRECTORY, DATABASES


class Router:
    """Reads from the replica and writes to the primary, as Django's documentation shows it."""

    def db_for_read(self, model: object, **_: object) -> str:
        return "replica"

    def db_for_write(self, model: object, **_: object) -> str:
        return "default"

    def allow_relation(self, *_: object, **__: object) -> bool:
        return True


REPLICA = _DIRECTORY / "replica.sqlite3"
DATABASES = {**DATABASES, "replica": {**DATABASES["default"], "NAME": REPLICA}}
DATABASE_ROUTERS = [Router()]


def catch_up() -> None:
    """Give the replica what the primary has now."""
    path = DATABASES["default"]["NAME"]
    with closing(sqlite3.connect(path)) as primary, closing(sqlite3.connect(REPLICA)) as replica:
        primary.backup(replica)
