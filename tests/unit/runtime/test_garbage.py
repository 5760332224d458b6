from __future__ import annotations

from typing import Any
from unittest import mock

import pytest

from idlewatch.process import Process
from idlewatch.runtime import garbage
from idlewatch.runtime.runtime import Runtime

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> mock.Mock:
    """The garbage collector of a process that runs no tests."""
    collector = mock.Mock()
    monkeypatch.setattr(garbage, "gc", collector)
    monkeypatch.setattr(garbage, "in_tests", lambda: False)
    return collector


async def start(process: Process) -> None:
    for _ in range(2):
        runtime = Runtime(process)
        runtime.start()
        await runtime.stop()
    process.close()


def served() -> Process:
    process = Process()
    process.is_served = True
    return process


async def test_a_server_process_freezes_what_it_has_loaded_and_sets_the_thresholds_once(
    collector: mock.Mock, settings: Any
):
    settings.IDLEWATCH = {"GC_THRESHOLDS": (10_000, 100, 2)}
    await start(served())
    calls = [mock.call.collect(), mock.call.freeze(), mock.call.set_threshold(10_000, 100, 2)]
    assert collector.mock_calls[:3] == calls
    assert collector.set_threshold.call_count == 1


@pytest.mark.parametrize(("is_served", "thresholds"), [(True, None), (False, (10_000, 100, 2))])
async def test_by_default_and_in_a_command_the_collector_is_left_alone(
    collector: mock.Mock, settings: Any, is_served: bool, thresholds: Any
):
    settings.IDLEWATCH = {"GC_THRESHOLDS": thresholds}
    process = Process()
    process.is_served = is_served
    await start(process)
    assert not collector.set_threshold.called
    assert not collector.freeze.called
