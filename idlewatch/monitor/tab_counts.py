"""The numbers of tabs that a store has for one process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from idlewatch.core.events import TabsCounted
from idlewatch.core.policy import Phase
from idlewatch.monitor.isolation import isolated
from idlewatch.store.base import SessionStore
from idlewatch.store.values import Watched


async def correct(
    sessions: SessionStore, found: Iterable[Watched | None], tabs: Mapping[str, int], process: str, now: float
) -> Sequence[Watched | None]:
    """Write the number of tabs that a process has where the store has another; return the sessions as they are then.

    Writing one judges the session: what is over by the clock waits until all processes have reported.
    """
    counted: list[Watched | None] = []

    async def count(watch_id: str) -> None:
        with isolated("count of tabs", watch_id):
            counted.append(await sessions.aapply(watch_id, TabsCounted(process, tabs.get(watch_id, 0)), now))

    live = (watched for watched in found if watched and watched.verdict(now).phase is not Phase.ENDED)
    miscounted = [each.id for each in live if each.activity.tabs.get(process, 0) != tabs.get(each.id, 0)]
    await asyncio.gather(*map(count, miscounted))
    return counted
