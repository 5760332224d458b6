from __future__ import annotations

import logging
from unittest import mock

import pytest

from idlewatch.core.clock import Clock
from idlewatch.exceptions import StoreUnavailable
from idlewatch.monitor.clock_sync import CORRECTION_GRACE, ClockSync
from idlewatch.process import Process
from idlewatch.store.memory import MemoryStore
from idlewatch.store.memory.ledger import Ledger
from idlewatch.store.memory.presence import MemoryPresence
from idlewatch.store.memory.sessions import MemorySessions
from idlewatch.store.values import Reading
from tests.conftest import START

HOUR = 3600.0
LATENCY = 0.02


class World:
    """The time that passes everywhere, the clock of the server behind the store, and the processes."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.server = START
        self.correction = 0.0
        self.signs: dict[str, float] = {}
        self.corrections: list[float] = []
        self.is_away = False

        self.store = SharedClock(self)

    @property
    def told(self) -> float:
        return self.server + self.passed + self.correction

    def start(self, name: str, ahead: float = 0.0) -> Host:
        """Start a process whose host's clock is ahead of the true time."""
        host = Host(self, name, ahead)
        host.keeper.follow(self.store)
        return host

    async def round(self, *hosts: Host, after: float = 1.0) -> None:
        """Have each process keep a round, as the timer does: it looks at the time, and gives its sign of life."""
        self.passed += after
        for host in hosts:
            await host.keeper.keep(self.store)
            self.signs[host.name] = host.now()


class Host(Clock):
    """The clock of a process on a machine of its own."""

    def __init__(self, world: World, name: str, ahead: float = 0.0) -> None:
        super().__init__()
        self.world = world
        self.name = name
        self.offset = START + ahead
        self.still = 0.0
        self.keeper = ClockSync(Process(name, self))

    def now(self) -> float:
        return self.offset + self.world.passed - self.still

    def shift(self, by: float) -> None:
        self.offset += by

    @property
    def off(self) -> float:
        """By how much its time is off."""
        return self.now() - START - self.world.passed


class SharedClock(MemoryPresence):
    """A store that has a clock to share, and answers after a moment."""

    def __init__(self, world: World) -> None:
        ledger = Ledger()
        super().__init__(ledger, MemorySessions(ledger))
        self.world = world
        self.before_answer = 0.0

    def read_time(self, process: str) -> Reading | None:
        if self.world.is_away:
            raise StoreUnavailable
        self.world.passed += LATENCY / 2 + self.before_answer
        others = [at for name, at in self.world.signs.items() if name != process]
        reading = Reading(self.world.told, self.world.correction, max(others, default=None))
        self.world.passed += LATENCY / 2
        return reading

    async def aread_time(self, process: str) -> Reading | None:
        return self.read_time(process)

    async def correct_time(self, reading: Reading, by: float) -> bool:
        if self.world.correction != reading.correction:
            return False
        self.world.correction = reading.correction + by
        self.world.corrections.append(by)
        return True


@pytest.fixture
def world() -> World:
    return World()


def logged(caplog: pytest.LogCaptureFixture) -> list[int]:
    """Return the levels of idlewatch's lines; asyncio may log tasks of earlier tests meanwhile."""
    return [record.levelno for record in caplog.records if record.name == "idlewatch"]


@pytest.mark.parametrize("ahead", [0.0, 0.3, -0.3, HOUR, -HOUR, 90 * 24 * HOUR])
@pytest.mark.parametrize("was_down", [False, True])
async def test_a_process_takes_over_the_time_of_the_store_whatever_its_hosts_clock_says(
    world: World, ahead: float, was_down: bool
):
    if was_down:
        await world.round(world.start("old"))
        world.passed += 600
    host = world.start("a", ahead)
    assert host.off == pytest.approx(0, abs=LATENCY)
    await world.round(host)
    assert host.off == pytest.approx(0, abs=LATENCY)
    assert world.corrections == []


async def test_a_process_that_could_not_ask_at_first_takes_the_time_over_when_it_can(world: World):
    world.is_away = True
    with pytest.raises(StoreUnavailable):
        world.start("a", HOUR)
    host = Host(world, "a", HOUR)
    with pytest.raises(StoreUnavailable):
        await world.round(host)
    assert host.off == HOUR
    world.is_away = False
    await world.round(host)
    assert host.off == pytest.approx(0, abs=LATENCY)
    assert world.corrections == []


@pytest.mark.parametrize("drift", [1e-3, -1e-3, 0.5, -0.5])
async def test_drift_of_the_server_is_followed_without_a_correction(
    world: World, drift: float, caplog: pytest.LogCaptureFixture
):
    hosts = [world.start("a"), world.start("b", HOUR)]
    for _ in range(10):
        world.server += drift
        await world.round(*hosts)
    assert [host.off for host in hosts] == pytest.approx([10 * drift] * 2, abs=LATENCY)
    assert world.corrections == []
    assert logged(caplog) == []


@pytest.mark.rule("R6")
@pytest.mark.parametrize("step", [HOUR, -HOUR, 10.0, -10.0, 90 * 24 * HOUR])
@pytest.mark.parametrize("count", [1, 2, 5])
async def test_a_step_of_the_server_is_corrected_once_and_moves_no_process(
    world: World, step: float, count: int, caplog: pytest.LogCaptureFixture
):
    hosts = [world.start(f"{number}", number * 100.0) for number in range(count)]
    for _ in range(3):
        await world.round(*hosts)
    world.server += step
    for _ in range(3):
        await world.round(*hosts)
        assert [host.off for host in hosts] == pytest.approx([0] * count, abs=LATENCY)
    assert world.corrections == [pytest.approx(-step, abs=LATENCY)]
    assert logged(caplog) == [logging.WARNING]
    # Who comes later is told the time that holds.
    late = world.start("late", step)
    assert late.off == pytest.approx(0, abs=LATENCY)


async def test_two_processes_that_find_the_step_at_the_same_moment_put_it_right_once(
    world: World, caplog: pytest.LogCaptureFixture
):
    hosts = [world.start("a"), world.start("b")]
    await world.round(*hosts)
    world.server += HOUR
    # Both have read before either corrects.
    reading = world.store.read_time("a")
    assert reading is not None
    await world.round(hosts[1])
    with mock.patch.object(world.store, "aread_time", return_value=reading):
        await hosts[0].keeper.keep(world.store)
    assert len(logged(caplog)) == 1
    await world.round(*hosts)
    assert world.corrections == [pytest.approx(-HOUR, abs=LATENCY)]
    assert [host.off for host in hosts] == pytest.approx([0] * 2, abs=LATENCY)


@pytest.mark.parametrize("still", [10.0, HOUR])
async def test_a_process_that_stood_still_follows_the_others(world: World, still: float):
    hosts = [world.start("a"), world.start("b")]
    await world.round(*hosts)
    hosts[0].still = still
    world.passed += still - 1
    await world.round(hosts[1])
    await world.round(*hosts)
    assert [host.off for host in hosts] == pytest.approx([0] * 2, abs=LATENCY)
    assert world.corrections == []


async def test_an_answer_that_took_long_moves_nothing_within_its_doubt(world: World):
    host = world.start("a")
    await world.round(host)
    world.store.before_answer = 8.0
    off = host.off
    await world.round(host)
    # The answer came eight seconds after the question; the time in it may be from any moment between.
    assert host.off == pytest.approx(off, abs=1e-6)
    assert world.corrections == []


async def test_a_store_that_is_away_leaves_the_process_its_own_count(world: World):
    host = world.start("a", HOUR)
    await world.round(host)
    world.is_away = True
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await world.round(host)
    assert host.off == pytest.approx(0, abs=LATENCY)
    world.is_away = False
    world.server += HOUR
    await world.round(host)
    assert host.off == pytest.approx(0, abs=LATENCY)
    assert world.corrections == [pytest.approx(-HOUR, abs=LATENCY)]


async def test_a_correction_that_was_lost_with_the_data_of_the_store_is_made_again(world: World):
    hosts = [world.start("a"), world.start("b")]
    await world.round(*hosts)
    world.server += HOUR
    await world.round(*hosts)
    world.correction = 0.0
    world.signs.clear()
    await world.round(*hosts)
    assert [host.off for host in hosts] == pytest.approx([0] * 2, abs=LATENCY)
    assert world.told == pytest.approx(START + world.passed, abs=LATENCY)


async def test_a_store_without_a_clock_to_share_changes_nothing(world: World):
    host = Host(world, "a", HOUR)
    host.keeper.follow(MemoryStore().presence)
    await host.keeper.keep(MemoryStore().presence)
    assert host.off == HOUR


@pytest.mark.parametrize("step", [HOUR, -HOUR])
@pytest.mark.parametrize("ahead", [0.0, 3.0, -3.0])
async def test_a_process_that_starts_between_a_step_and_its_correction_is_not_misled(
    world: World, step: float, ahead: float
):
    hosts = [world.start("a"), world.start("b")]
    for _ in range(3):
        await world.round(*hosts)
    world.passed += 0.5
    world.server += step
    new = world.start("new", ahead)
    assert -1.5 <= new.off <= 0
    # Its first round comes before that of the others; its sign of life misleads no other.
    await world.round(new, *hosts, after=0.2)
    assert -1.5 <= new.off <= 0
    await world.round(new, *hosts)
    assert [host.off for host in (*hosts, new)] == pytest.approx([0] * 3, abs=LATENCY)
    assert world.corrections == [pytest.approx(-step, abs=LATENCY)]


@pytest.mark.parametrize("step", [HOUR, -HOUR])
async def test_where_the_others_are_gone_the_new_process_puts_the_step_right(world: World, step: float):
    old = world.start("old")
    await world.round(old)
    world.passed += 2
    world.server += step
    new = world.start("new")
    for _ in range(int(CORRECTION_GRACE) + 2):
        await world.round(new)
        # Late by no more than the time without a sign of life.
        assert -2.1 <= new.off <= 0
    assert world.corrections == [pytest.approx(new.off - step, abs=LATENCY)]
