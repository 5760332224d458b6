"""How long something took, or is ago: the event loop's time, which nobody puts back."""

from __future__ import annotations

import asyncio


def ticks() -> float:
    """Return the event loop's time, in seconds since some moment."""
    return asyncio.get_running_loop().time()
