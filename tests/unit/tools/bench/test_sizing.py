from __future__ import annotations

import pytest

from tests.tools.bench import sizing
from tests.tools.bench.goals import REDIS
from tests.tools.bench.samples import Samples
from tests.tools.bench.sizing import Constants

MEASURED = Constants(
    process=100e6, tab=25e3, session=780.0, active=40e-6, idle=10e-6, redis=4e-6, opening=1e-3, tabs=1_000
)


def samples() -> Samples:
    found = Samples()
    for figure, size, value in (
        ("memory of a process", 0, 100e6),
        ("memory per tab", 1_000, 25e3),
        ("bytes per session", 10_000, 780.0),
        ("per tab and second", 1_000, 40.0),
        ("idle", 1_000, 1.0),
        ("Redis itself, per tab and second", 1_000, 4.0),
        ("opening a tab", 1_000, 1_000.0),
    ):
        found.add(figure, REDIS, size, value)
    return found


def test_the_constants_are_those_that_were_measured_with_redis():
    assert sizing.constants(samples()) == pytest.approx(MEASURED)


def test_there_are_no_constants_where_one_was_not_measured():
    found = Samples()
    found.add("per tab and second", REDIS, 1_000, 40.0)

    assert sizing.constants(found) is None
    assert "not measured" in sizing.section(found)


def test_what_a_site_needs_follows_from_its_tabs():
    needed = sizing.need(MEASURED, 1_000_000, 0.2)

    # Each tab takes 10 µs a second, each active one 30 more; a process takes 0.7 of a core.
    assert needed.cores == pytest.approx(16.0)
    assert needed.processes == 23
    assert needed.memory == pytest.approx(23 * 100e6 + 25e9)
    assert needed.redis_cores == pytest.approx(0.8)
    assert needed.redis_memory == pytest.approx(780e6)
    assert needed.rows == pytest.approx(200_000 / 45)
    assert needed.reconnecting == pytest.approx(1_000_000 / 23 * 1e-3 / 22)


def test_there_are_two_processes_at_least():
    assert sizing.need(MEASURED, 100, 1.0).processes == 2


def test_the_section_tells_what_saturates_first():
    text = sizing.section(samples())

    assert "a process, at 17,500 tabs" in text
    assert "Then Redis, at 175,000 tabs. For 1,000,000 the site is divided, by tenant or region, into 6" in text
    assert "| 1,000,000 | 20% | 16 | 23 | 27.3 GB | 0.8 | 0.78 GB | 4,444 | 2.0 s |" in text
