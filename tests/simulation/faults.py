"""What goes wrong, and for how long: the faults that `events` names, which stories draw."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.servers import Server
    from tests.simulation.stories import Fault
    from tests.simulation.world import World

Strike = Callable[["World", "Fault"], Awaitable[None]]
STRIKES: dict[str, Strike] = {}
"""By name, what lets a fault happen until it is over."""


class Missed(Exception):
    """There was nothing for the fault to strike."""


def _named(strike: Strike) -> Strike:
    STRIKES[strike.__name__] = strike
    return strike


def _switch(name: str, part: str, attribute: str) -> None:
    """Add a fault that is a switch of a part of the world."""

    async def strike(world: World, fault: Fault) -> None:
        if part == "redis":
            world.seen.outages.append(world.now)
        setattr(getattr(world, part), attribute, True)
        await asyncio.sleep(fault.seconds)
        setattr(getattr(world, part), attribute, False)

    STRIKES[name] = strike


_switch("redis_lossy", "redis", "is_lossy")
_switch("redis_hangs", "redis", "hangs")
_switch("redis_slow", "redis", "is_slow")
_switch("wakeups_lost", "redis", "loses_wakeups")
_switch("layer_lossy", "exchange", "is_lossy")
_switch("layer_away", "exchange", "is_away")
_switch("database_slow", "database", "is_slow")
_switch("database_away", "database", "is_away")
_switch("database_lossy", "database", "is_lossy")
_switch("database_conflicts", "database", "conflicts")


@_named
async def redis_away(world: World, fault: Fault) -> None:
    """Redis is stopped, and started again with its data."""
    world.seen.outages.append(world.now)
    world.redis.is_away = True
    world.redis.cut()
    await asyncio.sleep(fault.seconds)
    if fault.seconds > 2.0:
        # It was started again; else only the network was away.
        world.redis.promote()
    world.redis.is_away = False


@_named
async def redis_flushed(world: World, fault: Fault) -> None:
    """An operator flushes it; sometimes its scripts are gone, too, as after a restart without data."""
    world.seen.losses.append(world.now)
    world.redis.admin.flushall()
    if fault.seconds > 2.0:
        world.redis.admin.script_flush()
        world.redis.promote()
        world.redis.cut()


@_named
async def redis_snapshot(world: World, fault: Fault) -> None:
    """It comes back with an older snapshot."""
    snapshot, taken_at = world.redis.dump(), world.now
    await asyncio.sleep(fault.seconds / 2)
    world.redis.is_away = True
    world.redis.cut()
    await asyncio.sleep(fault.seconds / 2)
    world.redis.restore(snapshot)
    world.redis.promote()
    world.seen.losses += [taken_at, world.now]
    world.redis.is_away = False


@_named
async def redis_failover(world: World, fault: Fault) -> None:
    """A replica that lags takes over behind a proxy: no connection breaks."""
    snapshot, taken_at = world.redis.dump(), world.now
    await asyncio.sleep(min(fault.seconds, 3.0))
    world.redis.restore(snapshot)
    world.redis.promote()
    world.seen.losses += [taken_at, world.now]


@_named
async def redis_evicts(world: World, fault: Fault) -> None:
    """It evicts sessions, although it was told to evict nothing."""
    evicted = [key for key in sorted(world.redis.admin.keys("*}:watch:*")) if world.rng.random() < 0.5]
    if not evicted:
        raise Missed
    world.seen.losses.append(world.now)
    world.seen.evictions.append(world.now)
    world.redis.admin.delete(*evicted)


@_named
async def redis_clock(world: World, fault: Fault) -> None:
    """The clock of its server is set, while there are processes that notice: nothing else could."""
    if any(fault.kind in {"killed", "stopped", "restarted", "suspended"} for fault in world.story.faults):
        raise Missed
    world.is_skewed = True
    world.redis.clock_offset += world.rng.choice([-3600.0, -30.0, 30.0, 3600.0])


@_named
async def killed(world: World, fault: Fault) -> None:
    """A process is killed, and another started in its place."""
    server = world.servers[fault.target]
    if server.is_dead or server.is_going:
        raise Missed
    if world.story.setup.store == "memory":
        world.seen.losses.append(world.now)
    server.kill()
    await asyncio.sleep(fault.seconds)
    world.replace_server(fault.target)


@_named
async def stopped(world: World, fault: Fault) -> None:
    """A process is stopped, and goes on later."""
    server = world.servers[fault.target]
    await _until_it_writes_nothing(server)
    if not server.runs or server.is_going:
        raise Missed
    server.was_disturbed = True
    server.stop()
    await asyncio.sleep(fault.seconds)
    server.resume()


@_named
async def gc_pause(world: World, fault: Fault) -> None:
    """A process collects garbage."""
    paused = False
    for _ in range(3):
        server = world.servers[fault.target]
        await _until_it_writes_nothing(server)
        if server.runs and not server.is_going:
            server.stop()
            await asyncio.sleep(world.rng.uniform(0.1, 1.0))
            server.resume()
            paused = True
        await asyncio.sleep(world.rng.uniform(0.1, 2.0))
    if not paused:
        raise Missed


@_named
async def suspended(world: World, fault: Fault) -> None:
    """A virtual machine stands still, and its clock does not notice."""
    server = world.servers[fault.target]
    await _until_it_writes_nothing(server)
    if not server.runs or server.is_going:
        raise Missed
    world.is_skewed = server.was_disturbed = True
    world.lag = max(world.lag, fault.seconds)
    server.stop()
    await asyncio.sleep(fault.seconds)
    server.clock.lag += fault.seconds
    server.resume()


@_named
async def restarted(world: World, fault: Fault) -> None:
    """All processes are restarted in order, one after the other."""
    for number in range(len(world.servers)):
        server = world.servers[number]
        if server.runs and not server.is_going:
            await server.shut_down()
            await asyncio.sleep(world.rng.uniform(0.2, 1.5))
            world.replace_server(number)
            await asyncio.sleep(world.rng.uniform(0.2, 1.5))


@_named
async def wall_step(world: World, fault: Fault) -> None:
    """The machine's clock is set."""
    world.servers[fault.target].clock.wall_offset += world.rng.choice([-3600.0, 3600.0])


async def _until_it_writes_nothing(server: Server) -> None:
    """Wait until a process has no transaction open.

    SQLite has one writer: a process that stops in the middle of writing would stop all others, which no other database
    lets happen.
    """
    for _ in range(1000):
        if server.is_dead or not server.holds_transaction():
            return
        await asyncio.sleep(0.01)
