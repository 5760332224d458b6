from __future__ import annotations

import pytest

from idlewatch.process import Process
from idlewatch.runtime.runtime import Runtime
from tests.support.clocks import TestClock


@pytest.fixture
def no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """No timer runs beside the tests."""
    monkeypatch.setattr(Runtime, "start", lambda self: setattr(self.timer.membership, "owns_store", True))


@pytest.fixture
async def advanced(process: Process) -> TestClock:
    """The clock of the process, which only the test advances; operators do while they wait for a frame."""
    assert isinstance(process.clock, TestClock)
    process.clock.take_over()
    return process.clock
