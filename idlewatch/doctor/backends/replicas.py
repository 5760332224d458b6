"""Whether routers have rows read where they were written, or from a replica that has caught up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.sessions.backends import db
from django.db import Error as DatabaseError
from django.db import router
from django.db.models import Model

from idlewatch.doctor.findings import Finding, Trial, fault, ok
from idlewatch.doctor.phrases import duration, named
from idlewatch.doctor.site import Site
from idlewatch.models import WatchedSession
from idlewatch.monitor import django_sessions

MAX_LAG = 1.0
"""Seconds by which a replica may lag: about the time from a sign-in to the next page."""
CATCH_UP_TIMEOUT = 2.0
"""Seconds for which a replica is waited for."""
POLL_INTERVAL = 0.05
NEWEST = 20
"""Rows that are compared, of the latest users and records."""
COMPARED_COLUMNS = ("password", "last_login", "is_active")
"""What signs users in and out, where the model has it."""


def examine_reads(site: Site) -> Iterator[Finding]:
    """Find out where records, sessions and users are read, and whether a replica lags.

    Records and sessions are read where they are written, whatever routers say (`managers.PrimaryManager`,
    `django_sessions.read_from_primary`); users are not, by Django itself and by the site's views.
    """
    yield _own_reads()
    users = get_user_model()
    primary, replica = router.db_for_write(users), router.db_for_read(users)
    if primary != replica:
        site.note_progress(f"Waiting for {replica!r} to catch up with {primary!r} …")
        yield _user_reads(site, primary, replica)


def _own_reads() -> Finding:
    reads: dict[type[Model], str] = {WatchedSession: WatchedSession.objects.all().db}
    engine = django_sessions.engine()()
    if isinstance(engine, db.SessionStore):
        reads[engine.model] = router.db_for_read(engine.model)
    tried, expected = "Reads of records and sessions", "from where they are written"
    came = named(f"{model._meta.label} from {alias!r}" for model, alias in reads.items())
    if any(alias != router.db_for_write(model) for model, alias in reads.items()):
        hint = "DATABASE_ROUTERS have them read from a replica, which may still have sessions that ended."
        return fault(Trial.ROUTER_READS, tried, came, expected, hint)
    return ok(Trial.ROUTER_READS, tried, came, expected)


def _user_reads(site: Site, primary: str, replica: str) -> Finding:
    tried, expected = f"Reads of users from {replica!r}", f"what {primary!r} got at most {duration(MAX_LAG)} before"
    try:
        lag = _lag(site, primary, replica)
    except DatabaseError as error:
        hint = f"DATABASE_ROUTERS send reads of users there: see DATABASES[{replica!r}]."
        return fault(Trial.ROUTER_READS, tried, f"it fails: {type(error).__name__}", expected, hint)
    if lag is not None and lag <= MAX_LAG:
        return ok(Trial.ROUTER_READS, tried, f"caught up within {duration(lag)}", expected)
    came = f"it lags by more than {duration(CATCH_UP_TIMEOUT)}" if lag is None else f"it lags by {duration(lag)}"
    hint = (
        "The replica lags: until it has caught up, new accounts can't sign in, and users who change their password are "
        "signed out. Repair its replication, or have DATABASE_ROUTERS read users where they are written."
    )
    return fault(Trial.ROUTER_READS, tried, came, expected, hint)


def _lag(site: Site, primary: str, replica: str) -> float | None:
    """Return the seconds after which a replica has what the primary has; None if it has not caught up in time."""
    if site.why_no_probe is not None:
        return _time_until(lambda: _newest(primary) == _newest(replica))
    # What is written this moment shows more than what was written before.
    with site.probe() as probe:
        record = WatchedSession.objects.using(replica).filter(pk=probe.watch_id)
        return _time_until(record.exists)


def _time_until(is_done: Callable[[], bool]) -> float | None:
    began = time.monotonic()
    while not is_done():
        if time.monotonic() - began > CATCH_UP_TIMEOUT:
            return None
        time.sleep(POLL_INTERVAL)
    return time.monotonic() - began


def _newest(alias: str) -> list[Any]:
    """Return what a database has of the latest users, and of the latest records with their users."""
    model = get_user_model()
    fields = {field.name for field in model._meta.concrete_fields}
    columns = ["pk", *(name for name in COMPARED_COLUMNS if name in fields)]
    accounts = model._base_manager.using(alias)
    latest = WatchedSession.objects.using(alias).order_by("-started", "-pk")
    records = list(latest.values_list("pk", "user_id", "ended")[:NEWEST])
    known = {user for _, user, _ in records if user is not None}
    return [
        records,
        list(accounts.order_by("-pk").values_list(*columns)[:NEWEST]),
        sorted(accounts.filter(pk__in=known).values_list(*columns), key=str),
    ]
