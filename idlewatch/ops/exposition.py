"""The metrics of this process, and access to them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from django.utils.crypto import constant_time_compare

from idlewatch import metrics
from idlewatch.conf import conf
from idlewatch.conf.extras import Extra, is_installed
from idlewatch.core.policy import Phase
from idlewatch.monitor import stores
from idlewatch.process import Process, current_process
from idlewatch.runtime.hub import Hubs
from idlewatch.signals import event_log
from idlewatch.store.values import Census

if TYPE_CHECKING or is_installed(Extra.METRICS):
    from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder, generate_latest
    from prometheus_client.metrics_core import Metric
    from prometheus_client.registry import Collector
else:
    Collector = object

STORE_TIMEOUT = 2.0
"""Seconds that a scrape waits for the store: Prometheus drops scrapes that take over 10 s."""
REFUSAL_LOG_INTERVAL = 60.0
"""Seconds between log lines of refusals: a scraper without its token keeps trying."""


class _Refusals:
    """When a process last logged a refusal."""

    def __init__(self, process: Process) -> None:
        self._clock = process.clock
        self._logged_at = float("-inf")

    def is_log_due(self) -> bool:
        at = self._clock.ticks()
        is_due = at >= self._logged_at + REFUSAL_LOG_INTERVAL
        if is_due:
            self._logged_at = at
        return is_due


class _Scrape(Collector):
    """The registry, and what is counted by each scrape."""

    def __init__(self, census: Census | None) -> None:
        self._census = census

    def collect(self) -> Iterator[Metric]:
        yield from metrics.REGISTRY.collect()
        census = self._census
        live = None if census is None else {Phase.ACTIVE.value: census.active, Phase.WARNED.value: census.warned}
        tabs = sum(current_process().part(Hubs).tabs().values())
        yield from metrics.scraped(tabs, live, 0 if census is None else census.connected)


async def exposition(accept: str) -> tuple[bytes, str]:
    """Return all metrics of this process in a format that `accept` names, and its content type."""
    try:
        encode, content_type = choose_encoder(accept)
    except (TypeError, ValueError):
        # The header names a malformed version.
        encode, content_type = generate_latest, CONTENT_TYPE_PLAIN_0_0_4
    return encode(await scrape()), content_type


async def scrape() -> Collector:
    """Return a collector of all metrics of this process, for one scrape."""
    return _Scrape(await _census())


def has_token(authorization: str) -> bool:
    """Return whether a header `Authorization` has the token of the setting `METRICS_TOKEN`."""
    token = conf.metrics_token
    scheme, _, given = authorization.partition(" ")
    return token is not None and scheme.lower() == "bearer" and constant_time_compare(given.strip(), token)


def log_refusal(why: str) -> None:
    """Log a refused scrape, at most once per `REFUSAL_LOG_INTERVAL`."""
    if current_process().part(_Refusals).is_log_due():
        event_log.log_event("metrics_refused", level=logging.WARNING, why=why)


async def _census() -> Census | None:
    try:
        async with current_process().clock.timeout(STORE_TIMEOUT):
            return await stores.current().statistics.census()
    except Exception:  # noqa: BLE001 - whatever fails in the store, the other metrics are available
        return None
