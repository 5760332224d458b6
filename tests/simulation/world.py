"""One schedule: servers, people and faults, on one loop with one seed."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from idlewatch.models import WatchedSession
from idlewatch.store.base import TOMBSTONE_TTL
from tests.simulation import faults
from tests.simulation.browsers import Browser
from tests.simulation.calm import Calm
from tests.simulation.channel_layer import Exchange, Layer
from tests.simulation.convergence import Convergence
from tests.simulation.database.link import DatabaseLink, install
from tests.simulation.events import FOCUSED_ACTIONS, LISTED, LONG_ABSENCE
from tests.simulation.loop import VirtualLoop
from tests.simulation.operators import Operator
from tests.simulation.seen import Seen
from tests.simulation.servers import Handler, Server
from tests.simulation.stories import ACT_UNTIL, Fault, Step, Story
from tests.simulation.tabs import Stay, Tab

START = 1_900_000_000.0
EXPIRE_EVERY = 15.0
"""Seconds between two looks at the lives of keys."""
RECOVERY = 16.0
"""Seconds within which everything is as it should be again, after the last fault."""


@dataclass
class Outcome:
    """What came of a schedule."""

    story: Story
    violations: list[str]
    counts: Counter[str]
    trace: str
    lines: list[str] = field(default_factory=list)


class World:
    """Everything that one schedule needs."""

    def __init__(self, story: Story, bench: Any, *, verbose: bool = False) -> None:
        self.story = story
        self.bench = bench
        self.limits = story.setup.limits
        self.loop = VirtualLoop()
        self.rng = Random(f"world {story.seed}")
        self.is_skewed = story.setup.skewed
        self.lag = 0.0
        """Seconds for which a machine stood still at most without its clock noticing."""
        self.counts: Counter[str] = Counter()
        self.lines: list[str] = []
        self._verbose = verbose
        self._digest = hashlib.sha256()
        self.seen = Seen(self)
        self.calm = Calm(self)
        self.exchange = Exchange(Random(f"layer {story.seed}"))
        self.database = DatabaseLink(Random(f"database {story.seed}"), lambda: self.now)
        self.redis = bench.redis_link(Random(f"redis {story.seed}")) if story.setup.store == "redis" else None
        self.operator = Operator(self)
        self.browsers = [Browser(self, name, user) for name, (user, _) in story.people.items()]
        self.servers: list[Server] = []
        self.every_server: list[Server] = []
        self.stays: list[Stay] = []
        self.last_error = ""
        self.errors: Counter[str] = Counter()
        self.handler: Handler
        self._awaited: dict[str, asyncio.Future[None]] = {}
        """What faults wait for, by action."""
        self._network = Random(f"network {story.seed}")

    @property
    def now(self) -> float:
        """The time of the world, in epoch seconds."""
        return START + self.loop.time()

    def network(self) -> float:
        """Return how long something travels between a browser and a server."""
        return self._network.expovariate(1 / 0.004)

    def count(self, what: str) -> None:
        self.counts[what] += 1

    def begin(self, action: str) -> None:
        """Note that someone does something, for the faults that wait for it."""
        self.count(action)
        done = self._awaited.pop(action, None)
        if done is not None:
            done.set_result(None)

    def tell(self, what: str, **details: Any) -> None:
        """Write a line of the trace."""
        line = f"{self.loop.time():9.4f} {what} {details or ''}"
        self._digest.update(line.encode())
        if self._verbose:
            self.lines.append(line)

    def note_error(self, where: str, error: BaseException) -> None:
        self.last_error = f"{where}: {error!r}"
        self.errors[f"{where} {type(error).__name__}"] += 1

    def add_server(self, number: int) -> Server:
        server = Server(self, number)
        if self.story.setup.skewed:
            server.clock._offset = self.rng.uniform(-1.0, 1.0)
        self.every_server.append(server)
        server.start_up()
        return server

    def replace_server(self, number: int) -> None:
        self.servers[number] = self.add_server(number)

    def choose_server_now(self) -> Server | None:
        """Return a server as a proxy chooses one: it knows which are gone, not which are stopped."""
        there = [server for server in self.servers if not server.is_dead and not server.is_going]
        return self._network.choice(there) if there else None

    async def choose_server(self) -> Server | None:
        """Return a server, if one comes within some seconds."""
        for _ in range(20):
            server = self.choose_server_now()
            if server is not None:
                return server
            await asyncio.sleep(0.3)
        return None

    def had_tab(self, watch: str, moment: float) -> bool:
        """Return whether a session had a tab at a moment, and kept it."""
        return any(stay.watch == watch and stay.includes(moment) for stay in self.stays)

    def is_left(self, watch: str) -> bool:
        """Return whether every tab of a session has been closed, with no lost one that a server still counts."""
        sockets = [socket for server in self.servers for socket in server.sockets if socket.watch == watch]
        return all(socket.is_left for socket in sockets)

    def open_tabs(self, watch: str) -> list[Tab]:
        """Return the tabs of a session that are open now."""
        return [
            tab
            for browser in self.browsers
            for tab in browser.tabs
            if tab.watch == watch and tab.is_open and tab.socket is not None
        ]

    async def play(self) -> None:
        """Let it all happen, then look whether everything has come right."""
        self.handler = Handler()
        self.servers = [self.add_server(number) for number in range(self.story.setup.servers)]
        expiring = asyncio.ensure_future(self._let_keys_expire()) if self.story.setup.is_long else None
        await asyncio.sleep(0.5)
        tasks = [
            asyncio.ensure_future(browser.follow(list(self.story.people[browser.name][1]))) for browser in self.browsers
        ]
        tasks += [asyncio.ensure_future(self._strike(fault)) for fault in self.story.faults]
        until = self.loop.time() + ACT_UNTIL + 6.0
        await asyncio.wait(tasks, timeout=max(until - self.loop.time(), 0.0))
        for task in tasks:
            if task.done() and task.exception() is not None:
                raise task.exception() or AssertionError
        # A fault that goes on is over when it has run its course; people stop in the middle of what they do.
        faults_left = [task for task in tasks[len(self.browsers) :] if not task.done()]
        if faults_left:
            await asyncio.wait(faults_left)
        for task in tasks:
            task.cancel()
        for browser in self.browsers:
            browser.is_asleep = False
            for tab in browser.tabs:
                tab.come_back()
        staying = [asyncio.ensure_future(each.stay()) for each in self.browsers if self.rng.random() < 0.5]
        await asyncio.sleep(RECOVERY)
        for task in staying:
            task.cancel()
        await self._check()
        if self.story.setup.is_long:
            self.count(LONG_ABSENCE)
            await self._be_away()
        if expiring is not None:
            expiring.cancel()

    async def _let_keys_expire(self) -> None:
        """Have keys end their lives by virtual time; only a long schedule lasts as long as anything in Redis."""
        while self.redis is not None:
            self.redis.expire(self.now)
            await asyncio.sleep(EXPIRE_EVERY)

    async def _be_away(self) -> None:
        """Let what is kept for a while be forgotten, then come back with the cookies of old.

        With no one there, one server at most runs on, as in a site that scales with its load.
        """
        for browser in self.browsers:
            await browser.close_all()
        await asyncio.sleep(60.0)
        left = self.rng.choice([0, 1])
        for server in self.servers[left:]:
            await server.shut_down()
        await asyncio.sleep(TOMBSTONE_TTL)
        for number in range(left, len(self.servers)):
            self.replace_server(number)
        await asyncio.sleep(5.0)
        for browser in self.browsers:
            await browser.request()
            await browser.replay()
        self.seen.check(list(WatchedSession.objects.all()))

    async def _strike(self, fault: Fault) -> None:
        await asyncio.sleep(fault.at)
        if fault.near == "end":
            await asyncio.sleep(min(each.delay_of(Step("", fault.offset, "end")) for each in self.browsers))
        elif fault.near is not None:
            done = self._awaited[fault.near] = self._awaited.get(fault.near) or self.loop.create_future()
            await asyncio.wait([done], timeout=ACT_UNTIL - fault.at)
            if not done.done():
                return
            await asyncio.sleep(fault.offset)
        self.calm.disturb()
        self.tell(f"fault {fault.kind}", target=fault.target, seconds=fault.seconds)
        with suppress(faults.Missed):
            await faults.STRIKES[fault.kind](self, fault)
            self.count(fault.kind)
        self.tell(f"over {fault.kind}")

    async def _check(self) -> None:
        records = list(WatchedSession.objects.all())
        self.seen.check(records)
        for rule, text in self.bench.steps_back():
            self.seen.violate(rule, text)
        await Convergence(self).check(records)
        self.calm.check({record.pk: record for record in records})
        for record in records:
            self.tell("record", pk=record.pk, ended=str(record.ended), reason=record.reason)

    def tabs_of(self, watch: str) -> list[Tab]:
        return [tab for browser in self.browsers for tab in browser.tabs if tab.watch == watch]


def run(story: Story, bench: Any, *, verbose: bool = False) -> Outcome:
    """Run a story from its beginning to its end."""
    bench.reset(story)
    with bench.determined(story.seed):
        world = World(story, bench, verbose=verbose)
        install(world.database)
        Layer.exchange = world.exchange
        bench.world = world
        asyncio.set_event_loop(world.loop)
        try:
            world.loop.run_until_complete(world.play())
        finally:
            bench.tear_down(world)
    return Outcome(story, world.seen.violations, _counts_of(world), world._digest.hexdigest()[:16], world.lines)


def _counts_of(world: World) -> Counter[str]:
    for part in (world.redis, world.exchange, world.database):
        if part is not None:
            world.counts.update(part.seen)
    unlisted = world.counts.keys() - {*LISTED, *FOCUSED_ACTIONS}
    assert not unlisted, f"events lists no {unlisted}"
    return world.counts
