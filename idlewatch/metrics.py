"""Every metric, by its name; docs/metrics.md explains how to read them.

Without prometheus-client nothing is counted: each metric is a stand-in whose methods do nothing.

No label has values that users or browsers send: each has a few, which stand here or in an enum.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter as Counted
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from time import perf_counter
from typing import TYPE_CHECKING, Any, Self

from idlewatch.conf.extras import Extra, is_installed
from idlewatch.core.activity import Reason
from idlewatch.core.policy import Phase


class _StandIn:
    """A metric that counts nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def labels(self, *_: Any) -> Self:
        return self

    def time(self) -> AbstractContextManager[None]:
        return nullcontext()

    def inc(self, *_: Any) -> None:
        pass

    dec = set = observe = observe_all = set_to_current_time = inc


if TYPE_CHECKING or is_installed(Extra.METRICS):
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
    from prometheus_client.metrics_core import GaugeMetricFamily, Metric

    class UnitCounter(Counter):
        """A counter of what comes one by one: the library checks each time whether labels and amount are right."""

        def inc(self, amount: float = 1, exemplar: dict[str, str] | None = None) -> None:
            """Count one more."""
            self._value.inc(amount)

    class QuickHistogram(Histogram):
        """A histogram without labels of its own: the library checks that each time, and looks at every bucket."""

        def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
            """Observe a value."""
            self._sum.inc(amount)
            self._buckets[bisect_left(self._upper_bounds, amount)].inc(1)

    class BatchHistogram(Histogram):
        """A histogram of what comes in batches: the library takes a lock twice for each value."""

        def observe_all(self, values: Sequence[float]) -> None:
            """Observe several values."""
            places = Counted(bisect_left(self._upper_bounds, value) for value in values)
            self._sum.inc(sum(values))
            for place, count in places.items():
                self._buckets[place].inc(count)
else:
    CollectorRegistry = Counter = Gauge = Histogram = PlatformCollector = ProcessCollector = _StandIn
    UnitCounter = QuickHistogram = BatchHistogram = _StandIn

REGISTRY = CollectorRegistry()
"""A registry of its own: a site that exposes the default one exposes nothing twice."""
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

PUSH_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
TICK_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
STORE_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

OPERATORS = Gauge("idlewatch_operators", "Live pages that are open on this process.", registry=REGISTRY)
HEARTBEATS = Counter("idlewatch_heartbeats", "Reports of activity by pages.", ["via"], registry=REGISTRY)
REQUESTS = UnitCounter("idlewatch_requests", "HTTP requests judged.", ["verdict"], registry=REGISTRY)
OPENED = Counter("idlewatch_sessions_opened", "Sessions that came under watch.", registry=REGISTRY)
WARNINGS = Counter("idlewatch_warnings", "Sessions whose user was warned.", registry=REGISTRY)
EXTENSIONS = Counter("idlewatch_extensions", "Warned sessions that continued.", registry=REGISTRY)
ENDS = Counter("idlewatch_ends", "Sessions that ended.", ["reason"], registry=REGISTRY)
PUSH_DELAY = BatchHistogram(
    "idlewatch_push_delay_seconds",
    "Delay from the deadline of a warning or an end until the tabs were notified.",
    registry=REGISTRY,
    buckets=PUSH_BUCKETS,
)
TICK = Histogram(
    "idlewatch_tick_seconds",
    "Duration of one turn of the timer.",
    ["lane"],
    registry=REGISTRY,
    buckets=TICK_BUCKETS,
)
CLAIMS_RETRIED = Counter("idlewatch_claims_retried", "Work of the timer done again.", ["why"], registry=REGISTRY)
STORE_ERRORS = Counter(
    "idlewatch_store_errors", "Operations that the store did not answer, or refused.", registry=REGISTRY
)
STORE = QuickHistogram(
    "idlewatch_store_seconds",
    "Duration of an operation of the store.",
    ["operation"],
    registry=REGISTRY,
    buckets=STORE_BUCKETS,
)
RECEIVER_FAILURES = Counter(
    "idlewatch_receiver_failures",
    "Calls of signal receivers that raised, took too long, or were dropped.",
    ["signal", "why"],
    registry=REGISTRY,
)
NOTICES = Counter("idlewatch_notices", "Tabs to which a message was sent.", ["result"], registry=REGISTRY)
SILENT_PAGES = Counter("idlewatch_silent_pages", "Pages with the client that did not connect.", registry=REGISTRY)
LAST_ROUND = Gauge(
    "idlewatch_timer_last_round_timestamp_seconds",
    "Time of the last complete round of the timer of this process; 0: never.",
    registry=REGISTRY,
)

# Looked up once, so that a heartbeat stays cheap, and each is exposed from the start, at 0.
HEARTBEAT_BY_SOCKET = HEARTBEATS.labels("socket")
HEARTBEAT_BY_HTTP = HEARTBEATS.labels("http")
ANONYMOUS, UNDECIDED = "anonymous", "undecided"
JUDGED = {verdict: REQUESTS.labels(str(verdict)) for verdict in (ANONYMOUS, *Phase, UNDECIDED)}
ENDED = {reason: ENDS.labels(reason.value) for reason in Reason}
CHANGED_SINCE = CLAIMS_RETRIED.labels("changed")
"""The user acted between claim and verdict."""
LEASE_LAPSED = CLAIMS_RETRIED.labels("lease")
"""The process that had claimed it did not confirm it in time."""
NOTICE_REACHED, NOTICE_MISSED = NOTICES.labels("reached"), NOTICES.labels("missed")
RAISED, SLOW, DROPPED = "raised", "slow", "dropped"


@cache
def duration_of(command: str) -> Histogram:
    """Return the histogram of a command to the store, looked up once."""
    return STORE.labels(command.lower())


class timed:  # noqa: N801 - as the context managers of contextlib; that of a histogram takes twice as long
    """Records how long a command to the store takes."""

    __slots__ = ("_began", "_histogram")

    def __init__(self, command: str) -> None:
        self._histogram = duration_of(command)

    def __enter__(self) -> None:
        self._began = perf_counter()

    def __exit__(self, *_: object) -> None:
        self._histogram.observe(perf_counter() - self._began)


def scraped(tabs: int, sessions: dict[str, int] | None, connected: int) -> Iterator[Metric]:
    """Yield the metrics that each scrape counts.

    `sessions`: live sessions by phase; None if the store is unavailable: no number is better than an old one.
    """
    yield GaugeMetricFamily("idlewatch_tabs", "Tabs that are open on this process.", value=tabs)
    up = 0 if sessions is None else 1
    yield GaugeMetricFamily("idlewatch_store_up", "Whether the store answered this scrape.", value=up)
    if sessions is not None:
        live = GaugeMetricFamily("idlewatch_sessions", "Live sessions, on all processes.", labels=["phase"])
        for phase, number in sessions.items():
            live.add_metric([phase], number)
        yield live
        yield GaugeMetricFamily("idlewatch_sessions_connected", "Live sessions with a tab open.", value=connected)
