from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from idlewatch.process import Process
from idlewatch.runtime.runtime import Runtime
from tests.support.clocks import TestClock
from tests.support.sockets import Signed
from tests.unit.live.operators import Operator, astaff, watching


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


@pytest.fixture
async def signed() -> Signed:
    """An operator who may see the sessions."""
    return await astaff()


@pytest.fixture
async def operator(advanced: TestClock, signed: Signed) -> AsyncIterator[Operator]:
    """The operator's live page, which has not asked for anything yet."""
    async with watching(signed.key) as operator:
        yield operator
