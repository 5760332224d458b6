"""Event loops under gevent and eventlet, which make a greenlet of each thread."""

from __future__ import annotations

import _thread
import asyncio
import sys
from typing import Any
from weakref import WeakKeyDictionary


def separate_event_loops() -> None:
    """Give each greenlet of this thread a running event loop of its own, if threads are greenlets.

    Python keeps one for each thread. Greenlets take turns in it, so a request would find itself on the event loop of
    the timer, or of another request's async view: there Django refuses it the database, and asyncio another loop.
    """
    greenlet: Any = sys.modules.get("greenlet")
    if greenlet is None or _thread.start_new_thread.__module__ == "_thread":
        return
    earlier = greenlet.gettrace()
    if getattr(earlier, "__module__", None) == __name__:
        return
    loops: WeakKeyDictionary[Any, asyncio.AbstractEventLoop] = WeakKeyDictionary()

    def follow(event: str, switch: tuple[Any, Any]) -> None:
        origin, target = switch
        loop = asyncio._get_running_loop()
        if loop is not None:
            loops[origin] = loop
        if loops:
            asyncio._set_running_loop(loops.pop(target, None))
        if earlier is not None:
            earlier(event, switch)

    greenlet.settrace(follow)
