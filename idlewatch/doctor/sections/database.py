"""The database section: migrations, routers, records, and the cache that sessions need."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from django.apps import apps
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.db import Error as DatabaseError
from django.db import connections, router
from django.db.migrations.executor import MigrationExecutor

from idlewatch.conf import conf
from idlewatch.core.clock import as_datetime
from idlewatch.core.policy import Phase
from idlewatch.core.probes import PROBE_LIFETIME, PROBE_PREFIX
from idlewatch.doctor.backends.replicas import examine_reads
from idlewatch.doctor.findings import Finding, Trial, fault, ok, skipped, warning
from idlewatch.doctor.phrases import counted, duration, named
from idlewatch.doctor.site import Site
from idlewatch.models import WatchedSession
from idlewatch.monitor import records, session_cache
from idlewatch.process import now

ROUND_TRIPS = 5
SLOW = 0.05
"""Seconds that a query for nothing may take."""
APPS = ("idlewatch", "idlewatch_drafts")
MAX_COUNTED = 100_000
"""Live records that are counted: to count takes the longer the more there are."""
MAX_JUDGED = 200
"""Live records that are judged of those that were active least recently, and of those that began first."""
MAX_OVERDUE = 60.0
"""Seconds for which a session may be over before its record is closed."""


def examine(site: Site) -> Iterator[Finding]:
    """Look at the database of the records, at what routers do, and at the cache of the sessions."""
    alias = router.db_for_write(WatchedSession)
    unreachable = None
    site.note_progress(f"Asking the database {alias!r} …")
    try:
        yield _round_trip(alias)
        unapplied = _unapplied(alias)
    except DatabaseError as error:
        unreachable = type(error).__name__
        yield _away(alias, unreachable)
    if unreachable is not None:
        yield from _untried("the database can't be used")
    elif unapplied:
        hint = "Run manage.py migrate, and restart the servers."
        yield fault(Trial.MIGRATIONS, "Migrations", f"not applied: {named(unapplied)}", "all applied", hint)
        yield from _untried("migrations are missing", Trial.MIGRATIONS)
    else:
        yield ok(Trial.MIGRATIONS, "Migrations", "all applied", "all applied")
        yield from examine_reads(site)
        yield from _records(site)
    yield _cache(site)


def _round_trip(alias: str) -> Finding:
    connection = connections[alias]
    times = []
    with connection.cursor() as cursor:
        for _ in range(ROUND_TRIPS):
            began = time.perf_counter()
            cursor.execute("SELECT 1")
            cursor.fetchall()
            times.append(time.perf_counter() - began)
    median = statistics.median(times)
    tried, expected = f"Database {alias!r} of the records", f"an answer within {duration(SLOW)}"
    came = f"{connection.display_name}, {duration(median)}"
    if median > SLOW:
        hint = "Each request of a user takes some queries: move the servers nearer to the database."
        return warning(Trial.DATABASE, tried, came, expected, hint)
    return ok(Trial.DATABASE, tried, came, expected)


def _away(alias: str, error: str) -> Finding:
    # The text of the error may quote a password, or a row.
    tried, expected = f"Database {alias!r} of the records", f"an answer within {duration(SLOW)}"
    hint = (
        "See DATABASES: is the server up, and may this host and this user connect? `manage.py dbshell` shows the error."
    )
    return fault(Trial.DATABASE, tried, f"it fails: {error}", expected, hint)


def _untried(why: str, after: Trial = Trial.DATABASE) -> Iterator[Finding]:
    trials = {
        Trial.MIGRATIONS: ("Migrations", "all applied"),
        Trial.ROUTER_READS: ("Reads by DATABASE_ROUTERS", "from a database that has what was written"),
        Trial.RECORDS: ("Records", "they can be read"),
        Trial.OVERDUE: ("Records of sessions that are over", "closed within a minute"),
        Trial.OLD_PROBES: ("Probes of earlier runs", "none is live"),
    }
    for trial, (tried, expected) in trials.items():
        if trial is not after:
            yield skipped(trial, tried, why, expected)


def _unapplied(alias: str) -> list[str]:
    executor = MigrationExecutor(connections[alias])
    labels = {label for label in APPS if apps.is_installed(label.replace("_", "."))}
    targets = [node for node in executor.loader.graph.leaf_nodes() if node[0] in labels]
    return [f"{migration.app_label}.{migration.name}" for migration, _ in executor.migration_plan(targets)]


def _records(site: Site) -> Iterator[Finding]:
    live = WatchedSession.objects.live()
    number = live.order_by()[: MAX_COUNTED + 1].count()
    came = f"more than {MAX_COUNTED:,} are live" if number > MAX_COUNTED else f"{counted(number, 'session')} live"
    yield ok(Trial.RECORDS, "Records", came, "they can be read")
    yield _overdue(site)
    before = as_datetime(now() - PROBE_LIFETIME - MAX_OVERDUE)
    left = live.filter(pk__startswith=PROBE_PREFIX, started__lt=before).count()
    tried, expected = "Probes of earlier runs", "none is live"
    if left:
        hint = "No timer has ended them: see the trial timer."
        yield warning(Trial.OLD_PROBES, tried, f"{left} should have ended", expected, hint)
    else:
        yield ok(Trial.OLD_PROBES, tried, "none is live", expected)


def _overdue(site: Site) -> Finding:
    tried, expected = "Records of sessions that are over", "closed within a minute"
    overdue = _find_overdue(now())
    if not overdue:
        return ok(Trial.OVERDUE, tried, "all are closed", expected)
    number = f"at least {overdue}" if overdue >= MAX_JUDGED else str(overdue)
    came = f"{number} still open"
    if "DATABASES" in site.differing_settings:
        why = f"{came}, and the processes that answer have other settings (see same-settings)"
        return skipped(Trial.OVERDUE, tried, why, expected)
    if not site.reports:
        return skipped(Trial.OVERDUE, tried, f"{came}, and no process answers that could close them", expected)
    if all(report.timer is None for report in site.reports.values()) and not site.own_store.living:
        return skipped(Trial.OVERDUE, tried, f"{came}, since no timer runs; see timer", expected)
    hint = (
        "No timer closes records: it is stuck, or works on another database or store than this command. See the log of "
        "the servers; requests are refused all the same."
    )
    return fault(Trial.OVERDUE, tried, came, expected, hint)


def _find_overdue(moment: float) -> int:
    """Return how many of the oldest live records are of sessions that were over a while ago, by their own facts."""
    live = WatchedSession.objects.live()
    # By the indexes that the live page has: among millions of records, these rows are read alone.
    oldest = [live.order_by("ended", field, "pk")[:MAX_JUDGED] for field in ("last_active", "started")]
    rows = {row.pk: row for batch in oldest for row in records.read_live(batch)}
    # A record may lack the activity since its checkpoint, and its process may report that late.
    at = moment - MAX_OVERDUE - 2 * conf.checkpoint
    return sum(records.watched_of(row, at).verdict(at).phase is Phase.ENDED for row in rows.values())


def _cache(site: Site) -> Finding:
    cache = session_cache.session_cache()
    expected = "a cache that this command and all processes share"
    if cache is None:
        return ok(Trial.CACHE, "Cache of the sessions", f"sessions are in no cache ({conf.session_engine})", expected)
    tried = f"Cache of the sessions ({type(cache).__name__})"
    try:
        is_kept = session_cache.keeps()
    except Exception as error:  # noqa: BLE001 - what a cache raises is its own affair
        hint = "See CACHES and SESSION_CACHE_ALIAS: is its server up, and may this host connect?"
        return fault(Trial.CACHE, tried, f"it fails: {type(error).__name__}", expected, hint)
    lacking = [report.process for report in site.reports.values() if report.has_cached is False]
    if is_kept and not lacking and not isinstance(cache, LocMemCache | DummyCache):
        came = "what was put there is there" + (", for the site, too" if site.reports else "")
        return ok(Trial.CACHE, tried, came, expected)
    came = f"not found by {named(lacking)}" if lacking else "it is in this process alone"
    if is_kept and not site.own_store.is_shared and session_cache.has_database():
        hint = "That does for the one process of the memory store, which finds in the database what its cache lacks."
        return warning(Trial.CACHE, tried, came, expected, hint)
    hint = (
        "Each process has sessions of its own: users are signed out at random, and by each restart. Name a cache in "
        "Redis or memcached in SESSION_CACHE_ALIAS, or keep the sessions in the database."
    )
    return fault(Trial.CACHE, tried, came if is_kept else "it keeps nothing", expected, hint)
