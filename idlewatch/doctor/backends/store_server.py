"""The server of a shared store: its version, its setup, how fast it answers, and its clock."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from idlewatch.core.clock import Clock
from idlewatch.doctor.findings import Finding, Trial, fault, ok, skipped, warning
from idlewatch.doctor.phrases import duration, named
from idlewatch.doctor.site import Site
from idlewatch.process import current_process
from idlewatch.store.values import StoreCondition

ROUND_TRIPS = 9
SLOW = 0.02
"""Seconds that a request to the store may take: one of a user takes several."""
TOO_SLOW = 0.5
"""Seconds at which it is as good as away: half of its time limit."""
MAX_CLOCK_AHEAD = 2.0
"""Seconds by which the clock of the store's server may differ from that of this machine."""
NOT_PERMITTED = "this user of it may not ask"


def examine_server(site: Site, condition: StoreCondition, clock_ahead: float) -> Iterator[Finding]:
    """Judge the server of a store; `clock_ahead`: seconds by which its clock is ahead of this machine's."""
    yield _version(condition)
    yield _eviction(condition)
    yield _persistence(condition)
    yield _clock(condition, clock_ahead)
    yield latency([_time_of(site, current_process().clock) for _ in range(ROUND_TRIPS)])


def _version(condition: StoreCondition) -> Finding:
    tried, expected = "Version of the store", "Redis 7 or later, or Valkey"
    if condition.is_supported is None:
        return skipped(Trial.REDIS_VERSION, tried, NOT_PERMITTED, expected)
    if not condition.is_supported:
        hint = "Scripts of the store use commands that this version lacks: upgrade it."
        return fault(Trial.REDIS_VERSION, tried, condition.server, expected, hint)
    return ok(Trial.REDIS_VERSION, tried, condition.server, expected)


def _eviction(condition: StoreCondition) -> Finding:
    tried, expected = "Eviction of the store", "noeviction"
    if condition.eviction is None:
        return skipped(Trial.REDIS_EVICTION, tried, NOT_PERMITTED, expected)
    limit = condition.memory_limit or 0
    came = condition.eviction + (f", {limit // 2**20:,} MiB at most" if limit else ", no limit")
    if condition.eviction == "noeviction":
        return ok(Trial.REDIS_EVICTION, tried, came, expected)
    hint = (
        "A full Redis drops sessions, and their users are signed out. Set `maxmemory-policy noeviction`, and keep "
        "caches in another Redis."
    )
    make = fault if limit else warning
    return make(Trial.REDIS_EVICTION, tried, came, expected, hint)


def _persistence(condition: StoreCondition) -> Finding:
    tried, expected = "Persistence of the store", "an append-only file"
    if condition.failed_writes:
        hint = "It can't write to its disk, and refuses writes or loses them at a restart: see its log."
        return fault(Trial.REDIS_PERSISTENCE, tried, f"failed: {named(condition.failed_writes)}", expected, hint)
    if condition.is_logged is None:
        return skipped(Trial.REDIS_PERSISTENCE, tried, NOT_PERMITTED, expected)
    if condition.is_logged:
        return ok(Trial.REDIS_PERSISTENCE, tried, expected, expected)
    snapshots = {True: "snapshots alone", False: "none", None: "no append-only file"}[condition.has_snapshots]
    hint = (
        "A restart of Redis costs sessions their latest activity, and all wait until their records are resumed. Set "
        "`appendonly yes`, as in docs/deployment/redis.conf."
    )
    return warning(Trial.REDIS_PERSISTENCE, tried, snapshots, expected, hint)


def _time_of(site: Site, clock: Clock) -> float:
    began = clock.ticks()
    site.run(site.own_store.store.ping())
    return clock.ticks() - began


def latency(round_trips: Sequence[float]) -> Finding:
    """Judge how long requests took, in seconds."""
    median = statistics.median(round_trips)
    tried, expected = "Round trips to the store", f"within {duration(SLOW)}"
    came = f"{duration(median)}, the longest {duration(max(round_trips))}"
    if median <= SLOW:
        return ok(Trial.REDIS_LATENCY, tried, came, expected)
    hint = "A request of a user takes several: move it nearer to the servers, or see its slow log and its load."
    return (fault if median > TOO_SLOW else warning)(Trial.REDIS_LATENCY, tried, came, expected, hint)


def _clock(condition: StoreCondition, ahead: float) -> Finding:
    correction = condition.correction
    tried, expected = "Clock of the store", f"within {MAX_CLOCK_AHEAD:g} s of this machine's"
    came = f"{duration(abs(ahead))} {'ahead' if ahead > 0 else 'behind'}" if ahead else "in step"
    came += f", corrected by {duration(correction)}" if correction else ""
    if abs(ahead) <= MAX_CLOCK_AHEAD:
        return ok(Trial.REDIS_CLOCK, tried, came, expected)
    hint = "Sessions are judged by its clock, and their times shown by it. Keep the clocks of all hosts in step (NTP)."
    return warning(Trial.REDIS_CLOCK, tried, came, expected, hint)
