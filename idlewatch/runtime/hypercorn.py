"""A fault of hypercorn's shutdown, which a process can't work around: it is logged at the start."""

from __future__ import annotations

import asyncio
import logging
import sys

logger = logging.getLogger("idlewatch")

ASYNCIO_WORKER = "hypercorn.asyncio.run"
WAITS_FOR_CONNECTIONS = sys.version_info >= (3, 12)
"""Whether `asyncio.Server.wait_closed` waits for every open connection."""


def warn_of_endless_stop(loop: asyncio.AbstractEventLoop) -> None:
    """Log that the server does not stop while a socket is open, if this is hypercorn and so affected.

    It waits for the connections before it announces the stop (pgjones/hypercorn#308). uvloop's servers do not wait.
    """
    if ASYNCIO_WORKER in sys.modules and WAITS_FOR_CONNECTIONS and isinstance(loop, asyncio.BaseEventLoop):
        logger.warning(
            "On Python 3.12 and newer, hypercorn's asyncio worker does not stop while a tab is connected "
            "(pgjones/hypercorn#308). When it is killed, up to CHECKPOINT seconds of activity are lost. "
            "Use its uvloop worker (-k uvloop) or another server."
        )
