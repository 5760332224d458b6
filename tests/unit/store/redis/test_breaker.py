"""The circuit breaker by itself, on a clock of the test's own."""

from __future__ import annotations

import logging

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from idlewatch.exceptions import StoreUnavailable
from idlewatch.store.redis.breaker import REMINDER_INTERVAL, RETRY_DELAY, STORE_TIMEOUT, CircuitBreaker


class Site:
    """A breaker, and what it let through."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.asked = 0
        self.failures: list[float] = []
        self.breaker = CircuitBreaker(lambda: self.now)
        self.breaker.on_failure(lambda: self.failures.append(self.now))

    def ask(self, error: Exception | None = None) -> None:
        with self.breaker:
            self.asked += 1
            if error is not None:
                raise error

    def fail(self) -> None:
        with pytest.raises(StoreUnavailable):
            self.ask(RedisConnectionError("secret"))


@pytest.fixture
def site() -> Site:
    return Site()


def test_fails_at_once_for_a_moment_after_a_failure(site: Site):
    for _ in range(3):
        site.ask()
    assert (site.asked, site.failures) == (3, [])
    site.fail()
    site.now += RETRY_DELAY - 0.01
    with pytest.raises(StoreUnavailable, match="a moment ago"):
        site.ask()
    assert (site.asked, site.failures) == (4, [1000.0])


def test_lets_one_caller_at_a_time_find_out_whether_redis_answers_unless_it_does_not_come_back(site: Site):
    site.fail()
    site.now += RETRY_DELAY
    with site.breaker:
        for _ in range(8):
            with pytest.raises(StoreUnavailable):
                site.ask()
        assert site.asked == 1
        site.now += STORE_TIMEOUT + RETRY_DELAY
        site.ask()
        site.ask()
    assert site.asked == 3


def test_logs_an_outage_once_and_its_end(site: Site, caplog: pytest.LogCaptureFixture):
    for _ in range(3):
        site.fail()
        site.now += RETRY_DELAY
    site.ask()
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, "Redis does not answer: ConnectionError."),
        (logging.WARNING, "Redis is reachable again."),
    ]


def test_a_refusal_costs_the_next_caller_nothing_and_is_logged_once_in_a_while(
    site: Site, caplog: pytest.LogCaptureFixture
):
    for seconds in (0.0, REMINDER_INTERVAL - 1, 1.0):
        site.now += seconds
        with pytest.raises(StoreUnavailable, match="READONLY") as caught:
            site.ask(ResponseError("READONLY You can't write: secret"))
        assert caught.value.__suppress_context__
        assert "secret" not in str(caught.value)
    site.ask()
    assert (site.asked, len(site.failures)) == (4, 3)
    assert [record.getMessage() for record in caplog.records] == ["Redis rejected a command: READONLY."] * 2
