"""What idlewatch is to cost at most: each goal as data, also where nothing measures it yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from tests.tools.bench.samples import Samples, Summary

BARE, USUAL, MEMORY, REDIS, RESTARTED = "bare", "usual way", "memory", "Redis", "after a restart"
"""What is measured: a bare ASGI socket, the usual way with Channels, and idlewatch with each store."""
DIRECT, DIRECT_BY_TWO = "direct", "direct, two processes"
SECURITY, EVALSHA, PIPELINE = "session-security", "one EVALSHA", "pipeline of 100 EVALSHA"
"""More floors and peers: raw sends on the same sockets, django-session-security, and plain Redis."""
NO_MIDDLEWARE, SESSION_LOAD = "no middleware", "Django's load of the session"
"""What the middleware's own part, and all that it adds, is taken from."""
EVALSHA_OF_FEW, PIPELINE_OF_FEW = "one EVALSHA, few keys", "pipeline of 100 EVALSHA, few keys"
"""Plain Redis where it has little to look for."""
PING, RARE_PING = "session-security, a ping each 15 s", "session-security, a ping each 540 s"
"""The peer's pings: at the freshness of idlewatch, and at its own default."""
CLIENT, WITH_CLIENT, WITHOUT_CLIENT = "client", "page with the client", "page without it"
"""The script in the browser: its own part, and the pages that it is taken from."""

WORK = {
    "1": "Memory per signed-in tab",
    "2": "Processor time to open a signed-in tab",
    "3": "Processor time per heartbeat",
    "4": "All sessions due at once, until the last frame",
    "5": "From a deadline to the frame, tabs due over 10 s",
    "6": "A process with open tabs, share of a core",
    "7": "Middleware, own part over Django's load of the session",
    "7b": "All that the middleware adds to a request",
    "8": "Database writes",
    "9": "Processor time per open tab and second, activity known within 15 s",
    "10": "A touch on Redis",
    "11": "Bytes per session in the store",
    "12": "Server cost of ten live pages",
    "13": "Throughput of two processes over one, of what two cores give",
    "14": "The client in the browser",
}
"""The rows of the table, by their numbers."""

UNITS = {
    "memory per tab": "bytes",
    "opening a tab": "µs",
    "heartbeat, saturated": "µs",
    "heartbeat, 1,000/s": "µs",
    "idle": "% of a core",
    "a heartbeat each 15 s": "% of a core",
    "middleware's own part": "µs",
    "added, view without user": "µs",
    "added, view with user": "µs",
    "per tab and second": "µs",
    "touch, alone": "µs",
    "touch, 100 together": "µs",
    "touch, over that at 10,000": "×",
    "warned at once": "ms",
    "extended at once": "ms",
    "warned, p50": "ms",
    "warned, p99": "ms",
    "ended, p50": "ms",
    "ended, p99": "ms",
    "warned at once, processor time": "ms",
    "extended at once, processor time": "ms",
    "warned at once, Redis itself": "ms",
    "extended at once, Redis itself": "ms",
    "warned in turn, processor time": "ms",
    "ended in turn, processor time": "ms",
    "bytes per session": "bytes",
    "compressed size": "KB",
    "writes per 1,000 requests": "writes",
    "writes per 1,000 heartbeats": "writes",
    "writes to reopen a tab": "writes",
    "memory of a process": "bytes",
    "Redis itself, per tab and second": "µs",
    "a ping": "µs",
    "page, per pointer move": "µs",
    "page, idle, per second": "ms",
    "main thread per pointer move": "µs",
    "main thread idle, per second": "ms",
    "ten live pages": "ms a second",
    "ten live pages, over those at 100": "×",
    "heartbeats a second, one process": "",
    "heartbeats a second, two processes": "",
    "two processes over one": "×",
    "free for two over one": "×",
    "gained of what two cores give": "×",
}
"""Of the figures themselves; a goal may judge a ratio."""


class Goal(NamedTuple):
    """One goal: a variant's figure, or its ratio to another variant's, is at most the bound."""

    row: str
    figure: str
    variant: str
    over: str | None
    """The variant that it is measured by; None: the figure itself is judged."""
    bound: float
    unit: str
    least: int = 0
    """Tabs or sessions from which on it is judged: below, what a process needs in any case outweighs the rest."""
    at_least: bool = False
    """Whether it is to be the bound or more."""

    def is_met(self, value: float) -> bool:
        """Return whether a figure meets the goal."""
        return value >= self.bound if self.at_least else value <= self.bound


def _ratios(row: str, figure: str, over: str, least: int, **bounds: float) -> Iterator[Goal]:
    named = {"memory": MEMORY, "redis": REDIS, "restarted": RESTARTED}
    return (Goal(row, figure, named[name], over, bound, "×", least) for name, bound in bounds.items())


def _delays(row: str, figure: str, least: int, **bounds: float) -> Iterator[Goal]:
    named = {"memory": MEMORY, "redis": REDIS}
    return (Goal(row, figure, named[name], None, bound, "ms", least) for name, bound in bounds.items())


GOALS = (
    Goal("1", "memory per tab", MEMORY, BARE, 1.10, "×", 5_000),
    Goal("1", "memory per tab", MEMORY, USUAL, 0.70, "×", 5_000),
    *_ratios("2", "opening a tab", BARE, 1_000, memory=2.0, redis=2.3, restarted=2.3),
    *_ratios("3", "heartbeat, saturated", BARE, 1_000, memory=1.25, redis=1.6),
    *_ratios("3", "heartbeat, 1,000/s", BARE, 1_000, memory=1.25, redis=1.6),
    *_ratios("4", "warned at once", DIRECT, 10_000, memory=1.6),
    *_ratios("4", "warned at once", DIRECT_BY_TWO, 10_000, redis=2.5),
    *_ratios("4", "extended at once", DIRECT, 10_000, memory=1.6),
    *_ratios("4", "extended at once", DIRECT_BY_TWO, 10_000, redis=2.5),
    *_delays("5", "warned, p50", 10_000, memory=5.0, redis=15.0),
    *_delays("5", "warned, p99", 10_000, memory=50.0, redis=80.0),
    *_delays("5", "ended, p50", 10_000, memory=5.0, redis=15.0),
    *_delays("5", "ended, p99", 10_000, memory=50.0, redis=80.0),
    *_ratios("6", "idle", BARE, 10_000, memory=1.2),
    *_ratios("6", "a heartbeat each 15 s", BARE, 10_000, memory=1.6),
    Goal("7", "middleware's own part", MEMORY, None, 40.0, "µs"),
    Goal("7", "middleware's own part", REDIS, EVALSHA, 1.4, "×"),
    *_ratios("7b", "added, view without user", SECURITY, 0, memory=0.38, redis=0.6),
    *_ratios("7b", "added, view with user", SECURITY, 0, memory=0.2, redis=0.7),
    Goal("8", "writes per 1,000 requests", MEMORY, None, 5.0, "writes"),
    Goal("8", "writes per 1,000 requests", REDIS, None, 5.0, "writes"),
    Goal("8", "writes per 1,000 heartbeats", MEMORY, None, 5.0, "writes"),
    Goal("8", "writes per 1,000 heartbeats", REDIS, None, 5.0, "writes"),
    Goal("8", "writes to reopen a tab", RESTARTED, None, 0.0, "writes"),
    Goal("9", "per tab and second", MEMORY, None, 15.0, "µs", 10_000),
    Goal("10", "touch, 100 together", REDIS, PIPELINE, 1.5, "×", 10_000),
    Goal("10", "touch, alone", REDIS, EVALSHA, 1.2, "×", 10_000),
    Goal("10", "touch, over that at 10,000", REDIS, None, 1.5, "×", 1_000_000),
    Goal("11", "bytes per session", MEMORY, None, 900.0, "bytes", 10_000),
    Goal("11", "bytes per session", REDIS, None, 800.0, "bytes", 10_000),
    # Flat: a tenth more for a thousand times the sessions would not be noticed.
    Goal("12", "ten live pages, over those at 100", MEMORY, None, 1.1, "×", 1_000),
    Goal("13", "gained of what two cores give", REDIS, None, 0.95, "×", 1_000, at_least=True),
    Goal("14", "main thread per pointer move", CLIENT, None, 10.0, "µs"),
    Goal("14", "main thread idle, per second", CLIENT, None, 0.5, "ms"),
    Goal("14", "compressed size", CLIENT, None, 12.0, "KB"),
)


class Outcome(StrEnum):
    """How a goal stands."""

    MET = "met"
    MISSED = "missed"
    TOO_SMALL = "not judged at this size"
    MISSING = "not measured"


class Verdict(NamedTuple):
    """How a goal stands at one size."""

    goal: Goal
    outcome: Outcome
    size: int = 0
    measured: Summary | None = None


def judge(samples: Samples, goals: Iterable[Goal] = GOALS) -> list[Verdict]:
    """Judge each goal at each size at which it holds and was measured; at the largest if it holds at none."""
    return [verdict for goal in goals for verdict in _judge(goal, samples)]


def _judge(goal: Goal, samples: Samples) -> list[Verdict]:
    found = [
        (size, measured)
        for size in samples.sizes(goal.figure, goal.variant)
        if (measured := samples.summary(goal.figure, goal.variant, size, over=goal.over))
    ]
    if not found:
        return [Verdict(goal, Outcome.MISSING)]
    judged = [(size, measured) for size, measured in found if size >= goal.least]
    if not judged:
        return [Verdict(goal, Outcome.TOO_SMALL, *found[-1])]
    return [
        Verdict(goal, Outcome.MET if goal.is_met(measured.median) else Outcome.MISSED, size, measured)
        for size, measured in judged
    ]
