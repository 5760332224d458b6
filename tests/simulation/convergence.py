"""What holds once all faults are over: servers are ready, and store, records and tabs agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from idlewatch.core.policy import Phase
from idlewatch.models import WatchedSession
from idlewatch.monitor import stores
from idlewatch.monitor.store_lease import StoreLease
from idlewatch.ops import health
from idlewatch.runtime.runtime import running_runtime
from idlewatch.store.values import Watched

if TYPE_CHECKING:
    from tests.simulation.servers import Server
    from tests.simulation.world import World

T = TypeVar("T")

PUSH_TIME = 1.0
"""Seconds in which the tabs of a session that has just ended need not know of it yet."""


class Convergence:
    """Checks servers, records, store and tabs against each other."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._violate = world.seen.violate

    async def check(self, records: Sequence[WatchedSession]) -> None:
        """Compare the servers, then each session's record with the store and its tabs."""
        for server in self._world.servers:
            if not server.is_dead:
                await self._check_server(server)
        self._check_number(records)
        judge = self._owner() if self._world.story.setup.store == "memory" else self._world.servers[0]
        if judge is not None and not judge.is_dead:
            for record in records:
                await self._check_session(record, judge)

    async def _check_server(self, server: Server) -> None:
        violate, name = self._violate, f"server {server.number}"
        # The memory store belongs to one process; the others are not ready, and say so.
        is_refused = self._world.story.setup.store == "memory" and server is not self._owner()
        problems = await self._on(server, health.failing_parts())
        if problems and not is_refused:
            violate("recovers", f"{name} is not ready: {problems}")
        runtime = running_runtime(server)
        if runtime is None:
            violate("recovers", f"{name} has no timer")
            return
        if is_refused:
            return
        recovery = stores.recovery_of(server)
        if recovery is not None and recovery.is_away:
            violate("recovers", f"{name} is degraded")
        if not runtime.timer.owns_store:
            violate("recovers", f"{name} does not take part in the store")
        kept_at = runtime.timer.kept_at
        if kept_at is None or abs(server.clock.now() - kept_at) > 5.0:
            violate("recovers", f"{name} had its last whole round at {kept_at}, and it is {server.clock.now()}")
        if server.threads.waiting():
            violate("recovers", f"{name} has {server.threads.waiting()} calls that wait for a thread")

    def _owner(self) -> Server | None:
        """Return the server that owns the memory store."""
        servers = self._world.servers
        return next((each for each in servers if each.part(StoreLease).owner is None and not each.is_dead), None)

    async def _on(self, server: Server, work: Coroutine[Any, Any, T]) -> T:
        """Return what something comes to in the process of a server."""
        return await self._world.loop.create_task(work, context=server.context())

    def _check_number(self, records: Sequence[WatchedSession]) -> None:
        most = self._world.story.setup.max_sessions
        live = Counter(record.username for record in records if record.ended is None)
        if most is not None and any(count > most for count in live.values()):
            self._violate("replaced", f"live sessions {dict(live)}, and {most} are allowed")

    async def _check_session(self, record: WatchedSession, judge: Server) -> None:
        """Compare a record with what the store of a server has."""
        watch = record.pk
        watched = await self._on(judge, stores.store_of(judge).sessions.aget(watch))
        now = judge.clock.now()
        if record.ended is not None:
            self._check_ended(watch, record, watched, now)
        elif watched is None:
            self._violate("converges", f"{watch} is open by its record, and unknown to the store")
        elif (verdict := watched.verdict(now)).phase is Phase.ENDED:
            if verdict.ends_at < now - 4.0:
                self._violate("converges", f"{watch} is over, and nothing was recorded")
        else:
            self._check_live(watch, watched, now)

    def _check_ended(self, watch: str, record: WatchedSession, watched: Watched | None, now: float) -> None:
        if watched is not None and watched.activity.ended is None:
            self._violate("final", f"{watch} ended {record.reason} by its record, and lives in the store")
        if record.ended is not None and record.ended.timestamp() > now - PUSH_TIME:
            return
        for tab in self._world.tabs_of(watch):
            if not (tab.has_ended or tab.is_gone) and (tab.is_open or tab.browser.watch == watch):
                self._violate("converges", f"a tab of {watch} does not know that it ended: {tab.state}")

    def _check_live(self, watch: str, watched: Watched, now: float) -> None:
        counted = {name: count for name, count in watched.activity.tabs.items() if count}
        # A lost network leaves a socket open at its server for a while.
        here = Counter(
            each.name
            for each in self._world.servers
            for socket in each.sockets
            if socket.is_accepted and socket.watch == watch
        )
        if counted != dict(here):
            self._violate("recovers", f"{watch} counts tabs {counted}, and has {dict(here)}")
        phase = watched.shown.phase
        if watched.verdict(now).shown != watched.verdict(now - 2.0).shown:
            # It has changed just now.
            return
        for tab in self._world.open_tabs(watch):
            if tab.state.get("phase") != phase and self._world.now - tab.state_at > 3.0:
                self._violate("converges", f"a tab of {watch} shows {tab.state.get('phase')}, and it is {phase}")
