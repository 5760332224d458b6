from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from idlewatch.core import clock


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """A machine whose clocks the test turns."""
    clocks = {"wall": 1_700_000_000.0, "elapsed": 500.0}
    monkeypatch.setattr(time, "time", lambda: clocks["wall"])
    monkeypatch.setattr(time, "monotonic", lambda: clocks["elapsed"])
    monkeypatch.setattr(time, "clock_gettime", lambda _: clocks["elapsed"])
    return clocks


@pytest.mark.rule("R6")
@pytest.mark.parametrize("step", [3600.0, -3600.0])
def test_a_step_of_the_wall_clock_moves_nothing(machine: dict[str, float], step: float) -> None:
    counting = clock.Clock()
    assert counting.now() == 1_700_000_000.0
    machine["wall"] += step
    machine["elapsed"] += 7.0
    assert counting.now() == 1_700_000_007.0


@pytest.mark.rule("R6")
def test_time_asleep_counts() -> None:
    if not hasattr(time, "CLOCK_BOOTTIME"):
        assert clock.Clock()._elapsed() <= time.monotonic()
        return
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= clock.Clock()._elapsed() <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_without_a_clock_that_counts_sleep_the_monotonic_one_serves(
    machine: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(time, "CLOCK_BOOTTIME", raising=False)
    counting = clock.Clock()
    machine["elapsed"] += 7.0
    assert counting.now() == 1_700_000_007.0


def test_moments_leave_as_aware_datetimes() -> None:
    moment = clock.as_datetime(1_700_000_000.25)
    assert moment == datetime(2023, 11, 14, 22, 13, 20, 250_000, tzinfo=UTC)
    assert moment.utcoffset() == timedelta(0)
