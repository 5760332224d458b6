"""Watch the sessions of a Django site in real time: warn before one ends, end it everywhere at once, and say why."""

from idlewatch.decorators import active, passive

__all__ = ["active", "passive"]
__version__ = "0.1.0"
