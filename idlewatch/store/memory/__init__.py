"""The store of one process."""

from idlewatch.store.memory.store import MemoryStore

__all__ = ["MemoryStore"]
