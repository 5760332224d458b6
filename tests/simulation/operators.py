"""The operators of the simulated site."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.simulation.servers import Server
    from tests.simulation.world import World


class Operator:
    """Those who run the site, through one of its servers."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def end(self, watch: str) -> None:
        from idlewatch.core.activity import Reason
        from idlewatch.monitor import service

        server = await self._world.choose_server()
        if server is not None:
            await self._on(server, lambda now: service.aend(watch, Reason.REVOKED, now))

    async def disable(self, user: str) -> None:
        from django.contrib.auth import get_user_model

        from idlewatch.process import Lane, in_thread

        def save(active: bool) -> None:
            if self._world.story.seed % 2:
                # By another program: no signal tells of it.
                get_user_model().objects.filter(username=user).update(is_active=active)
                return
            account = get_user_model().objects.get(username=user)
            account.is_active = active
            account.save()

        server = await self._world.choose_server()
        if server is not None:
            began = self._world.now
            await self._on(server, lambda now: in_thread(Lane.DATABASE, save, False))
            self._world.calm.must_end_all_of(user, "account", began)
            await asyncio.sleep(self._world.limits.checkpoint * 3)
        server = await self._world.choose_server()
        if server is not None:
            await self._on(server, lambda now: in_thread(Lane.DATABASE, save, True))

    async def _on(self, server: Server, work: Any) -> None:
        async def run() -> None:
            try:
                await work(server.clock.now())
            except Exception as error:  # noqa: BLE001 - a fault was in the way; the operator tries again, or not
                self._world.note_error("operator", error)

        task = asyncio.get_running_loop().create_task(run(), context=server.context())
        gone = asyncio.ensure_future(server.gone())
        await asyncio.wait([task, gone], return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
