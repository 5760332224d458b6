"""Everything that `/metrics` shows, by its name; docs/metrics.md says how to read it.

Without prometheus-client nothing is counted: each metric then is a stand-in whose methods do nothing.

No label takes what a user or a browser sends: each has a handful of values, which are known here or in an enum.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
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

    dec = set = observe = set_to_current_time = inc


if TYPE_CHECKING or is_installed(Extra.METRICS):
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
    from prometheus_client.metrics_core import GaugeMetricFamily, Metric
else:
    CollectorRegistry = Counter = Gauge = Histogram = PlatformCollector = ProcessCollector = _StandIn

REGISTRY = CollectorRegistry()
"""A registry of its own: a site that exposes the default one exposes nothing twice."""
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

PUSH_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
TICK_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
STORE_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

OPERATORS = Gauge("idlewatch_operators", "Live pages that are open on this process.", registry=REGISTRY)
HEARTBEATS = Counter("idlewatch_heartbeats", "Reports of activity by pages.", ["via"], registry=REGISTRY)
REQUESTS = Counter("idlewatch_requests", "HTTP requests judged.", ["verdict"], registry=REGISTRY)
OPENED = Counter("idlewatch_sessions_opened", "Sessions that came under watch.", registry=REGISTRY)
WARNINGS = Counter("idlewatch_warnings", "Sessions whose user was warned.", registry=REGISTRY)
EXTENSIONS = Counter("idlewatch_extensions", "Warned sessions that went on.", registry=REGISTRY)
ENDS = Counter("idlewatch_ends", "Sessions that ended.", ["reason"], registry=REGISTRY)
PUSH_DELAY = Histogram(
    "idlewatch_push_delay_seconds",
    "From the moment at which a session was to be warned or ended until its tabs were told.",
    registry=REGISTRY,
    buckets=PUSH_BUCKETS,
)
TICK = Histogram(
    "idlewatch_tick_seconds",
    "What one turn of the timer took.",
    ["lane"],
    registry=REGISTRY,
    buckets=TICK_BUCKETS,
)
CLAIMS_RETRIED = Counter("idlewatch_claims_retried", "Work of the timer done again.", ["why"], registry=REGISTRY)
STORE_ERRORS = Counter("idlewatch_store_errors", "What the store did not answer, or refused.", registry=REGISTRY)
STORE = Histogram(
    "idlewatch_store_seconds",
    "What an answer of the store took.",
    ["operation"],
    registry=REGISTRY,
    buckets=STORE_BUCKETS,
)
RECEIVER_FAILURES = Counter(
    "idlewatch_receiver_failures",
    "Receivers of signals that raised, took too long, or fell so far behind that they were not told.",
    ["signal", "why"],
    registry=REGISTRY,
)
NOTICES = Counter("idlewatch_notices", "Tabs that were sent a notice.", ["result"], registry=REGISTRY)
LAST_ROUND = Gauge(
    "idlewatch_timer_last_round_timestamp_seconds",
    "When the timer of this process last did all that it does once a round; 0: never.",
    registry=REGISTRY,
)

# Looked up once, since a heartbeat is to stay cheap; and so each is shown from the start, at 0.
HEARTBEAT_BY_SOCKET = HEARTBEATS.labels("socket")
HEARTBEAT_BY_HTTP = HEARTBEATS.labels("http")
ANONYMOUS, UNDECIDED = "anonymous", "undecided"
JUDGED = {verdict: REQUESTS.labels(str(verdict)) for verdict in (ANONYMOUS, *Phase, UNDECIDED)}
ENDED = {reason: ENDS.labels(reason.value) for reason in Reason}
CHANGED_SINCE = CLAIMS_RETRIED.labels("changed")
"""Somebody acted between the claim and the verdict."""
LEASE_LAPSED = CLAIMS_RETRIED.labels("lease")
"""Whoever had claimed it never said that it was done."""
NOTICE_REACHED, NOTICE_MISSED = NOTICES.labels("reached"), NOTICES.labels("missed")
RAISED, SLOW, DROPPED = "raised", "slow", "dropped"


def scraped(tabs: int, sessions: dict[str, int] | None, connected: int) -> Iterator[Metric]:
    """Return what is counted when it is asked for.

    `sessions`: how many live, by phase; None where the store is away: better no number than an old one.
    """
    yield GaugeMetricFamily("idlewatch_tabs", "Tabs that are open on this process.", value=tabs)
    up = 0 if sessions is None else 1
    yield GaugeMetricFamily("idlewatch_store_up", "Whether the store answered when this was asked.", value=up)
    if sessions is not None:
        live = GaugeMetricFamily("idlewatch_sessions", "Live sessions, on all processes.", labels=["phase"])
        for phase, number in sessions.items():
            live.add_metric([phase], number)
        yield live
        yield GaugeMetricFamily("idlewatch_sessions_connected", "Live sessions with a tab open.", value=connected)
