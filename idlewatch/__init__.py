"""Watch the sessions of a Django site in real time: warn before one ends, end it everywhere at once, and say why."""

from idlewatch.decorators import active, passive
from idlewatch.factors import offer_to_end_others

__all__ = ["active", "offer_to_end_others", "passive"]
__version__ = "0.1.0"
