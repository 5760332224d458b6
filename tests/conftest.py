"""What every test may lean on: a store of its own, a clock that it sets, one browser for all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browsing import chromium

START = 1_900_000_000.0
"""Where the tests' clock stands at first."""


class Time:
    """The time by which sessions are judged, in a test's hands."""

    def __init__(self) -> None:
        self.now = START

    def pass_(self, seconds: float) -> float:
        """Let some time go by; return what the clock says then."""
        self.now += seconds
        return self.now


@pytest.fixture(autouse=True)
def fresh_store() -> Iterator[None]:
    """Each test has a store of its own."""
    from idlewatch import monitor

    monitor.forget_store()
    yield
    monitor.forget_store()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    """The time by which sessions are judged, for the test to put forward."""
    from idlewatch.clock import Clock

    time = Time()
    monkeypatch.setattr(Clock, "__call__", lambda _: time.now)
    return time


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A Chromium. It keeps an event loop of its own running, so asyncio's tests run in another process."""
    with chromium() as browser:
        yield browser
