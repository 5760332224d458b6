"""The store section: who owns it, how a shared one is set up and does, and which processes live in it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from django.db import Error as DatabaseError

from idlewatch.conf import conf
from idlewatch.doctor.backends.store_server import SLOW, examine_server
from idlewatch.doctor.challenges import ahead
from idlewatch.doctor.findings import Finding, Trial, fault, ok, skipped, warning
from idlewatch.doctor.phrases import counted, duration, named
from idlewatch.doctor.site import Site
from idlewatch.exceptions import StoreUnavailable
from idlewatch.models import StoreOwner
from idlewatch.monitor.store_lease import OWNER_LEASE
from idlewatch.process import current_process, now
from idlewatch.store.values import StoreCondition

MAX_LAPSED = 30.0
"""Seconds after which the tabs of a process that died have been taken back."""
SETTLING = 60.0
"""Seconds after which the records are resumed into a new store, unless there are very many."""
NO_TIMER = "no timer runs that would use it; see timer"
OTHER_SETTINGS = "the processes that answer have other settings (see same-settings)"


def examine(site: Site) -> Iterator[Finding]:
    """Look at the store: at its owner if it is in memory, else at its server and its processes."""
    tried = f"Store {conf.store['BACKEND']}"
    site.note_progress("Asking the store …")
    if not site.own_store.is_shared:
        yield ok(Trial.STORE, tried, "in memory, for one process", "it can be written to")
        yield _owner(site)
        return
    if site.own_store.failure is not None:
        hint = (
            "While it is away, sessions are judged by their records, and no tab is told of changes. See LOCATION and "
            "OPTIONS of IDLEWATCH['STORE']: is the server up, may this host connect, and may this user write?"
        )
        yield fault(Trial.STORE, tried, site.own_store.failure, "it can be written to", hint)
        yield from _untried("it can't be reached")
        return
    yield ok(Trial.STORE, tried, "it can be written to", "it can be written to")
    clock = current_process().clock
    asked_at = clock.wall()
    try:
        condition = site.run(site.own_store.store.inspect())
    except StoreUnavailable as error:
        yield from _untried(str(error))
        return
    if condition is None:
        # A backend of the project's own has nothing to tell.
        return
    clock_ahead = ahead(condition.now - condition.correction, asked_at, clock.wall())
    yield from examine_server(site, condition, clock_ahead)
    if "IDLEWATCH" in site.differing_settings:
        yield from _untried(OTHER_SETTINGS, (Trial.EPOCH, Trial.LEASES))
        return
    yield _epoch(site, condition)
    yield from _leases(site, condition)


def _untried(why: str, trials: Collection[Trial] = ()) -> Iterator[Finding]:
    texts = {
        Trial.REDIS_VERSION: ("Version of the store", "Redis 7 or later, or Valkey"),
        Trial.REDIS_EVICTION: ("Eviction of the store", "noeviction"),
        Trial.REDIS_PERSISTENCE: ("Persistence of the store", "an append-only file"),
        Trial.REDIS_LATENCY: ("Round trips to the store", f"within {duration(SLOW)}"),
        Trial.REDIS_CLOCK: ("Clock of the store", "that of this machine"),
        Trial.EPOCH: ("Epoch of the store", "complete"),
        Trial.LEASES: ("Leases of processes", "one or more"),
    }
    for trial, (tried, expected) in texts.items():
        if not trials or trial in trials:
            yield skipped(trial, tried, why, expected)


def _owner(site: Site) -> Finding:
    tried, expected = "Owner of the memory store", "the process that answers, which renews its lease each second"
    if not {"DATABASES", "IDLEWATCH"}.isdisjoint(site.differing_settings):
        return skipped(Trial.STORE_OWNER, tried, OTHER_SETTINGS, expected)
    try:
        owner = StoreOwner.objects.first()
    except DatabaseError:
        return skipped(Trial.STORE_OWNER, tried, "the database can't be used; see database", expected)
    if owner is not None:
        return _judged_owner(site, owner, tried, expected)
    if any(report.timer for report in site.reports.values()):
        hint = "The processes that answer own a store by another database than this command has: see DATABASES."
        return fault(Trial.STORE_OWNER, tried, "none", expected, hint)
    return skipped(Trial.STORE_OWNER, tried, "no process has claimed it", expected)


def _judged_owner(site: Site, owner: StoreOwner, tried: str, expected: str) -> Finding:
    reports = site.reports
    age = now() - owner.renewed.timestamp()
    came = f"{owner.process} (pid {owner.pid} on {owner.host}), renewed {duration(max(age, 0.0))} ago"
    if not reports:
        return skipped(Trial.STORE_OWNER, tried, f"no process answers; the latest was {came}", expected)
    if any(report.store_owner for report in reports.values()):
        return skipped(Trial.STORE_OWNER, tried, f"it is {came} (see answering-processes)", expected)
    report = reports.get(owner.process)
    if report is None and age <= OWNER_LEASE:
        hint = (
            "Another process than those that answer owns the store, and these answer 503 to users who are signed in. "
            "Stop it, or use the Redis store: a store in memory supports one process."
        )
        return fault(Trial.STORE_OWNER, tried, came, expected, hint)
    if age > OWNER_LEASE:
        if any(each.timer is None for each in reports.values()):
            return skipped(Trial.STORE_OWNER, tried, f"{came}; no timer renews it; see timer", expected)
        hint = "The timer does not reach the database, or another one than this command: see the log of the server."
        return fault(Trial.STORE_OWNER, tried, came, expected, hint)
    return ok(Trial.STORE_OWNER, tried, came, expected)


def _epoch(site: Site, condition: StoreCondition) -> Finding:
    tried, expected = "Epoch of the store", "complete, with nothing held back"
    is_used = condition.created_at is not None and (condition.is_resumed or condition.is_holding_back)
    if not is_used and not (condition.living or _with_rounds(site)):
        return skipped(Trial.EPOCH, tried, NO_TIMER, expected)
    if condition.created_at is None:
        hint = "The processes that answer use another store, by LOCATION or PREFIX."
        return fault(Trial.EPOCH, tried, "no process has used it", expected, hint)
    age = max(condition.now - condition.created_at, 0.0)
    came = f"{duration(age)} old"
    if condition.is_holding_back and age > SETTLING:
        doing = "processes report what they saw" if condition.is_resumed else "the records are being resumed into it"
        hint = "It passes within a minute; else see the logs: a process may reach the store, and not the database."
        return warning(Trial.EPOCH, tried, f"{came}, and no session ends by the clock: {doing}", expected, hint)
    if not is_used:
        hint = "No process goes on resuming the records: none reaches the database. See the logs."
        return fault(Trial.EPOCH, tried, f"{came}, and the records were not resumed into it", expected, hint)
    return ok(Trial.EPOCH, tried, came, expected)


def _leases(site: Site, condition: StoreCondition) -> Iterator[Finding]:
    living, tried = condition.living, "Leases of processes"
    expected = "one of each process that has a timer"
    # Of one that keeps no rounds, the timer is at fault.
    lacking = [name for name in _with_rounds(site) if name not in living]
    if lacking:
        hint = (
            "Their timers keep rounds, and renew no lease here: they use another store than this command, by LOCATION "
            "or PREFIX, or can't write to it. In this one, their tabs do not count."
        )
        yield fault(Trial.LEASES, tried, f"none of {named(lacking)}", expected, hint)
    elif living:
        leases = named(f"{name} ({seconds:.0f} s left)" for name, seconds in living.items())
        yield ok(Trial.LEASES, tried, f"{counted(len(living), 'process')}: {leases}", expected)
    else:
        yield skipped(Trial.LEASES, tried, NO_TIMER, expected)
    lapsed = [name for name, until in condition.leases.items() if until < condition.now - MAX_LAPSED]
    if lapsed and living and not condition.is_holding_back:
        hint = "Their tabs still count, since no live process took them over: see the logs."
        yield warning(Trial.LEASES, "Leases of processes that died", named(lapsed), "their tabs are taken back", hint)


def _with_rounds(site: Site) -> Sequence[str]:
    """Return the processes that answered, and whose timers keep rounds."""
    return [name for name, report in site.reports.items() if report.timer is not None and report.timer.keeps_rounds]
