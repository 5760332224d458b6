"""What a site with many sessions is to cost at most: each goal as data."""

from __future__ import annotations

from collections.abc import Sequence

from tests.tools.bench.goals import Goal

TWO_PROCESSES, ONE_PROCESS = "two processes", "one process, memory store"

UPKEEP, ENDS, RESUMPTION, STOP, SEARCH, QUERIES, PRUNING = map(str, range(1, 8))
WORK = {
    UPKEEP: "All upkeep: checkpoints, checks, leases, searches, polling",
    ENDS: "A tenth of the sessions end at one moment",
    RESUMPTION: "Redis comes back empty",
    STOP: "An orderly stop",
    SEARCH: "The search for unknown records",
    QUERIES: "Queries of requests, sockets and rounds",
    PRUNING: "Old records are deleted",
}
"""The rows of the table, by their numbers."""

UNITS = {
    "processor time": "% of a core",
    "lag of the records": "s",
    "until the last record": "s",
    "until the last session is back": "s",
    "wrong answers meanwhile": "answers",
    "sessions that ended meanwhile": "sessions",
    "answers with 503 meanwhile": "answers",
    "requests meanwhile": "requests",
    "batches resumed twice": "batches",
    "share of the process that resumed less": "%",
    "until the process is gone": "s",
    "activity that was not recorded": "sessions",
    "a cycle": "s",
    "slowest": "ms",
    "left": "records",
}


def _goal(row: str, figure: str, variant: str, bound: float) -> Goal:
    return Goal(row, figure, variant, None, bound, UNITS[figure])


GOALS: Sequence[Goal] = (
    _goal(UPKEEP, "processor time", TWO_PROCESSES, 15.0),
    # As long as `CHECKPOINT` says: what is not done costs nothing.
    _goal(UPKEEP, "lag of the records", TWO_PROCESSES, 60.0),
    _goal(ENDS, "until the last record", TWO_PROCESSES, 2.0),
    _goal(RESUMPTION, "until the last session is back", TWO_PROCESSES, 5.0),
    _goal(RESUMPTION, "wrong answers meanwhile", TWO_PROCESSES, 0.0),
    _goal(RESUMPTION, "sessions that ended meanwhile", TWO_PROCESSES, 0.0),
    _goal(RESUMPTION, "batches resumed twice", TWO_PROCESSES, 0.0),
    _goal(STOP, "until the process is gone", ONE_PROCESS, 5.0),
    _goal(STOP, "activity that was not recorded", ONE_PROCESS, 0.0),
    _goal(SEARCH, "a cycle", TWO_PROCESSES, 300.0),
    _goal(QUERIES, "slowest", TWO_PROCESSES, 5.0),
    _goal(PRUNING, "left", TWO_PROCESSES, 0.0),
)
