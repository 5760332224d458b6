"""How many of what a site needs, by a formula from the measured constants."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from idlewatch.conf.settings import SETTINGS
from idlewatch.store.transitions import CHECK_FRACTION
from tests.tools.bench.goals import REDIS
from tests.tools.bench.samples import Samples

SITES = (10_000, 100_000, 1_000_000)
"""Open tabs."""
ACTIVE = (0.2, 1.0)
"""Shares of the tabs whose users act in every heartbeat interval."""
LOAD = 0.7
"""Of a core, which a process or Redis is to take at most: the rest is for peaks, and for a process that restarts."""
CHECK_INTERVAL = SETTINGS["CHECKPOINT"].default * CHECK_FRACTION
"""Seconds between two checkpoints of an active session."""

FORMULA = """What grows with the open tabs *T*, each of a session of its own, where the users of a share *A* act in
every heartbeat interval (15 s) and the others are idle; there are several processes, so the store is in Redis:

| what | formula |
|---|---|
| cores of the processes | *C* = *T* (*i* + *A* (*a* - *i*)) |
| processes, each of which takes a core at most | *P* = *C* / {load:g}, and *C* + 1, so that one may stop |
| their memory | *P* *m₀* + *T* *m* |
| cores of Redis, which has one thread for commands | *R* = *T* *A* *r*, at most {load:g} for each Redis |
| memory of Redis | *T* *b* |
| rows that the database updates in a second | *T* *A* / {interval:g} s (¾ of `CHECKPOINT`), a few hundred at once |
| seconds until all tabs are back after one of the processes has stopped | (*T* / *P*) *o* / (*P* - 1) |

A session with several tabs takes the memory and the processor time of each, and Redis's memory and the database's
rows once. Requests come on top: see row 7b for each."""


class Constants(NamedTuple):
    """What was measured with the Redis store: bytes, and seconds of processor time."""

    process: float
    tab: float
    session: float
    active: float
    """For each tab and second."""
    idle: float
    redis: float
    opening: float
    tabs: int
    """With so many open."""


class Need(NamedTuple):
    """What a site with so many tabs needs."""

    cores: float
    processes: int
    memory: float
    redis_cores: float
    redis_memory: float
    rows: float
    reconnecting: float


def constants(samples: Samples) -> Constants | None:
    """Return the constants; None where one of them was not measured."""
    sizes = samples.sizes("per tab and second", REDIS)
    if not sizes:
        return None
    tabs = sizes[-1]
    figures = (
        _median(samples, "memory of a process", 0),
        _median(samples, "memory per tab", tabs),
        _median(samples, "bytes per session"),
        _median(samples, "per tab and second", tabs, 1e-6),
        _median(samples, "idle", tabs, 1e-2 / tabs),
        _median(samples, "Redis itself, per tab and second", tabs, 1e-6),
        _median(samples, "opening a tab", tabs, 1e-6),
    )
    known = [figure for figure in figures if figure is not None]
    return Constants(*known, tabs) if len(known) == len(figures) else None


def _median(samples: Samples, figure: str, size: int | None = None, unit: float = 1.0) -> float | None:
    sizes = samples.sizes(figure, REDIS) if size is None else [size]
    found = samples.summary(figure, REDIS, sizes[-1]) if sizes else None
    return found and found.median * unit


def need(measured: Constants, tabs: int, share: float) -> Need:
    """Return what so many tabs need, where the users of a share of them are active."""
    cores = tabs * (measured.idle + share * (measured.active - measured.idle))
    processes = max(math.ceil(cores / LOAD), math.ceil(cores) + 1)
    return Need(
        cores=cores,
        processes=processes,
        memory=processes * measured.process + tabs * measured.tab,
        redis_cores=tabs * share * measured.redis,
        redis_memory=tabs * measured.session,
        rows=tabs * share / CHECK_INTERVAL,
        reconnecting=tabs / processes * measured.opening / (processes - 1),
    )


def section(samples: Samples) -> str:
    """Return the section of the page, in Markdown: the formula, the constants, and what sites of three sizes need."""
    formula = FORMULA.format(load=LOAD, interval=CHECK_INTERVAL)
    measured = constants(samples)
    if measured is None:
        return f"{formula}\n\nThe constants were not measured in this run."
    return "\n\n".join(
        [formula, "\n".join(_constants_table(measured)), "\n".join(_sites_table(measured)), _first(measured)]
    )


def _constants_table(measured: Constants) -> Iterator[str]:
    yield f"The constants, with {measured.tabs:,} tabs open:"
    yield ""
    yield from ("| | constant | measured |", "|---|---|--:|")
    yield f"| *a* | processor time of a process a second, a tab whose user is active | {measured.active * 1e6:.1f} µs |"
    yield f"| *i* | the same, a tab whose user is idle | {measured.idle * 1e6:.1f} µs |"
    yield f"| *o* | to open a tab | {measured.opening * 1e6:,.0f} µs |"
    yield f"| *r* | processor time of Redis a second, a tab whose user is active | {measured.redis * 1e6:.2f} µs |"
    yield f"| *m₀* | memory of a process without tabs | {measured.process / 1e6:.0f} MB |"
    yield f"| *m* | memory of a process for each tab | {measured.tab / 1e3:.1f} KB |"
    yield f"| *b* | memory of Redis for each session | {measured.session:,.0f} bytes |"


def _sites_table(measured: Constants) -> Iterator[str]:
    yield (
        "| tabs | active | cores of processes | processes | their memory | cores of Redis | its memory "
        "| rows a second | back after a stop |"
    )
    yield "|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    for tabs in SITES:
        for share in ACTIVE:
            site = need(measured, tabs, share)
            yield (
                f"| {tabs:,} | {share:.0%} | {site.cores:.2g} | {site.processes} | {site.memory / 1e9:.1f} GB "
                f"| {site.redis_cores:.2g} | {site.redis_memory / 1e9:.2g} GB | {site.rows:,.0f} "
                f"| {site.reconnecting:.1f} s |"
            )


def _first(measured: Constants) -> str:
    """Return what saturates first, in words."""
    process = LOAD / measured.active
    redis = LOAD / measured.redis
    largest = need(measured, SITES[-1], 1.0)
    needed = math.ceil(largest.redis_cores / LOAD)
    limit = (
        f"One is enough for {SITES[-1]:,}."
        if needed == 1
        else f"For {SITES[-1]:,} the site is divided, by tenant or region, into {needed} that have a Redis each."
    )
    return (
        f"**What saturates first**, with all users active: a process, at {process:,.0f} tabs; for more, start more, on "
        f"more cores. Then Redis, at {redis:,.0f} tabs. {limit} The database updates {largest.rows:,.0f} rows a second "
        "there; with a `CHECKPOINT` of ten minutes it is a tenth of that."
    )
