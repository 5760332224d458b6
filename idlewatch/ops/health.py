"""The readiness of this process."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping

from channels.layers import get_channel_layer
from django.db import connections, router

from idlewatch.models import WatchedSession
from idlewatch.monitor import stores
from idlewatch.process import Lane, Process, current_process, in_thread, now
from idlewatch.runtime.roll_call import send_to_itself
from idlewatch.runtime.runtime import running_runtime

logger = logging.getLogger("idlewatch")

CHECK_TIMEOUT = 3.0
"""Seconds that each check may take."""
ROUND_TIMEOUT = 10.0
"""Seconds without a round after which the timer counts as stuck."""


async def failing_parts() -> Collection[str]:
    """Return the parts of this process that are not ready; the log has the reasons, which are not for everyone."""
    problems = await _problems()
    current_process().part(_Log).note(problems)
    return list(problems)


class _Log:
    """Logs what is not ready, once for each reason."""

    def __init__(self, _process: Process) -> None:
        self._known: Mapping[str, str] = {}

    def note(self, problems: Mapping[str, str]) -> None:
        for part, reason in problems.items():
            if self._known.get(part) != reason:
                logger.warning("This process is not ready (%s): %s.", part, reason)
        self._known = problems


async def _problems() -> Mapping[str, str]:
    checks: dict[str, Callable[[], Awaitable[None]]] = {
        "database": _database,
        "store": _store,
        "channel layer": _channel_layer,
        "timer": _timer,
    }
    problems, clock = {}, current_process().clock
    for part, check in checks.items():
        try:
            async with clock.timeout(CHECK_TIMEOUT):
                await check()
        except Exception as error:  # noqa: BLE001 - any error is a problem
            problems[part] = str(error) or type(error).__name__
    return problems


async def _database() -> None:
    def ask() -> None:
        with connections[router.db_for_write(WatchedSession)].cursor() as cursor:
            cursor.execute("SELECT 1")

    await in_thread(Lane.DATABASE, ask)


async def _store() -> None:
    await stores.store_of(current_process()).ping()


async def _channel_layer() -> None:
    layer = get_channel_layer()
    if layer is not None:
        await send_to_itself(layer, current_process().clock, CHECK_TIMEOUT)


async def _timer() -> None:
    runtime = running_runtime(current_process())
    if runtime is None:
        raise RuntimeError("it does not run: is the ASGI application wrapped with idlewatch.asgi.watched?")
    timer = runtime.timer
    if timer.membership.refused:
        raise RuntimeError("the memory store belongs to another process")
    if timer.kept_at is None:
        raise RuntimeError("it has not finished its first round yet")
    if now() - timer.kept_at > ROUND_TIMEOUT:
        raise RuntimeError(f"it has not kept a round for {ROUND_TIMEOUT:g} s")
