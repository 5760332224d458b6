"""The setting `IDLEWATCH`."""

from idlewatch.conf.settings import conf

__all__ = ["conf"]
