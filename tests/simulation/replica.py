"""A router that sends reads to a replica which lags for ever: what judges a session must not be read there."""

from __future__ import annotations

from typing import Any

has_replica = False
"""Whether the schedule that runs has one."""


class Router:
    """Reads idlewatch's records and Django's sessions from the replica, writes to the primary."""

    def db_for_read(self, model: Any, **_: Any) -> str | None:
        return "replica" if has_replica and model._meta.app_label in {"idlewatch", "sessions"} else None

    def db_for_write(self, model: Any, **_: Any) -> str:
        return "default"

    def allow_relation(self, *_: Any, **__: Any) -> bool:
        return True

    def allow_migrate(self, db: str, *_: Any, **__: Any) -> bool:
        return True
