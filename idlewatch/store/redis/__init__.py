"""The store that any number of processes share, in Redis 7 or later, or Valkey."""

from idlewatch.store.redis.store import RedisStore

__all__ = ["RedisStore"]
