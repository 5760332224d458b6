"""The names of a store's keys."""

from __future__ import annotations

from typing import NamedTuple

from idlewatch.store.listing import Group
from idlewatch.store.values import Due


class Keys(NamedTuple):
    """The names of keys. All of a store begin with its prefix, and share its hash tag."""

    prefix: str

    def row(self, watch_id: str) -> str:
        """Return the key of a session's row."""
        return f"{self.prefix}watch:{watch_id}"

    def due(self, due: Due) -> str:
        """Return the key of the sorted set of what is due."""
        return self.other(f"due:{due.value}")

    def group(self, group: Group) -> str:
        """Return the key of the sorted set of a group's sessions."""
        return self.other(f"live:{group.phase}:{'connected' if group.connected else 'unconnected'}")

    def served(self, process: str) -> str:
        """Return the key of the set of sessions that have tabs on a process."""
        return self.other(f"served:{process}")

    def other(self, name: str) -> str:
        """Return a key by its plain name."""
        return f"{self.prefix}{name}"
