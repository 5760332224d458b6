"""The socket section: state, activity, warning, extension and end, as a tab has them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from functools import partial

from django.db import DatabaseError

from idlewatch.doctor.clients.http_client import REQUEST_TIMEOUT, NoAnswer
from idlewatch.doctor.clients.socket_client import Refused
from idlewatch.doctor.clients.state_endpoint import ask_phase
from idlewatch.doctor.findings import Finding, Outcome, Trial, fault, ok, skipped, warning
from idlewatch.doctor.site import Site
from idlewatch.doctor.tabs import fallback, limits_trials, tab_trials
from idlewatch.doctor.tabs.pushes import warn_at
from idlewatch.exceptions import StoreUnavailable, Undecided
from idlewatch.models import WatchedSession
from idlewatch.monitor import probes
from idlewatch.monitor.probes import Probe

FOREIGN = {"another site": "https://elsewhere.invalid", "null": "null", "none": None}
"""Origins that are not the site's own."""
ORIGINS = f"Handshakes with the origins of {', '.join(FOREIGN)}"
FORBIDDEN, ACCEPTED = 403, 101
REFUSED = f"{FORBIDDEN} to each"
IDLE_TIMEOUT, WARN_BEFORE = 60.0, 10.0
"""The limits of the session whose activity is tried, in seconds."""
SHORT_IDLE_TIMEOUT, SHORT_WARN_BEFORE = 4.0, 2.0
"""The limits of the session that is warned and ends, in seconds, where the site answers at once."""
QUICK = 0.3
"""Seconds within which a site answers that is given no more time."""
TABS = 2
RECORD_TIMEOUT = 2.0
"""Seconds within which the site records an end."""
NOT_SERVED = "no tab of a session is served"
ACCOUNT, NO_RIGHTS = "Account of the probes", "one with no rights"

Trials = Mapping[Trial, tuple[str, str]]
"""Trials: what is tried, and what a right site answers."""
OF_TAB: Trials = {
    Trial.TAB: (tab_trials.FIRST, tab_trials.FIRST_EXPECTED),
    Trial.ACTIVITY: (tab_trials.ACTIVITY, tab_trials.CREDITED),
    Trial.ACTIVITY_ELSEWHERE: (tab_trials.ELSEWHERE, tab_trials.SEEN),
}
OF_FALLBACK: Trials = {Trial.FALLBACK: (fallback.SYNC, fallback.SYNCED)}
OF_ACCOUNT: Trials = {Trial.ACCOUNT: (ACCOUNT, NO_RIGHTS)}
OF_LIMITS: Trials = {
    Trial.WARNING: (limits_trials.WARN, limits_trials.WARNED),
    Trial.EXTENSION: (limits_trials.EXTEND, limits_trials.EXTENDED),
    Trial.END: (limits_trials.END, limits_trials.ENDED),
}


def examine(site: Site) -> Iterator[Finding]:
    """Try foreign origins, then what a tab of a session sends and receives."""
    with suppress(DatabaseError, StoreUnavailable, Undecided):
        probes.end_overdue(site.read_time())
    no_tab = _why_no_tab(site)
    if no_tab is not None:
        yield skipped(Trial.FOREIGN_ORIGIN, ORIGINS, no_tab, REFUSED)
    else:
        yield judge_foreign_origins([_answer_to(site, origin) for origin in FOREIGN.values()])
    no_session = site.why_no_probe
    if no_session is not None:
        yield from _skip({**OF_ACCOUNT, **OF_TAB, **OF_FALLBACK, **OF_LIMITS}, no_session)
        return
    yield judge_account(site.options.user)
    if no_tab is not None:
        # Without sockets, as under WSGI, it is all that pages have.
        with site.probe() as probe:
            yield fallback.try_fallback(site, probe)
        yield from _skip({**OF_TAB, **OF_LIMITS}, no_tab)
        return
    is_served = False
    for found in _try_tab(site):
        is_served |= found.trial is Trial.TAB and found.outcome is Outcome.OK
        yield found
    if is_served:
        yield from _try_limits(site)
    else:
        yield from _skip(OF_LIMITS, NOT_SERVED)


def _why_no_tab(site: Site) -> str | None:
    if site.why_unreached is not None:
        return site.why_unreached
    if site.why_no_socket is not None:
        return f"no handshake succeeds ({site.why_no_socket}); see the trial handshake"
    return None


def _skip(trials: Trials, why: str) -> Iterator[Finding]:
    for trial, (tried, expected) in trials.items():
        yield skipped(trial, tried, why, expected)


def _answer_to(site: Site, origin: str | None) -> int | str:
    try:
        with site.socket(site.socket_path, origin=origin):
            return ACCEPTED
    except Refused as error:
        return error.status
    except NoAnswer as error:
        return str(error)


def judge_foreign_origins(answers: list[int | str]) -> Finding:
    """Judge what came of handshakes with the origins in `FOREIGN`: a status, or a phrase."""
    came = ", ".join(map(str, answers))
    if set(answers) == {FORBIDDEN}:
        return ok(Trial.FOREIGN_ORIGIN, ORIGINS, came, REFUSED)
    hint = "Something before the site answers in its place: pages can't tell that from the site."
    if ACCEPTED in answers:
        hint = (
            "A page of another site can open sockets with the cookies of your users. Have the proxy pass on the header "
            "Origin as it came, and keep CSRF_TRUSTED_ORIGINS to your own sites."
        )
    return fault(Trial.FOREIGN_ORIGIN, ORIGINS, came, REFUSED, hint)


def judge_account(user: object) -> Finding:
    """Judge the account of the probes."""
    found = [name for name in ("is_superuser", "is_staff") if getattr(user, name, False)]
    if not found:
        return ok(Trial.ACCOUNT, ACCOUNT, "neither is_staff nor is_superuser", NO_RIGHTS)
    hint = "It works, but its cookie opens more than the doctor needs: make an account with no rights for --user."
    return warning(Trial.ACCOUNT, ACCOUNT, " and ".join(found), NO_RIGHTS, hint)


def _try_tab(site: Site) -> Iterator[Finding]:
    """Open a tab of a session, send activity in it, and a message over HTTP beside it."""
    site.note_progress("Opening a tab")
    with site.probe(idle_timeout=IDLE_TIMEOUT, warn_before=WARN_BEFORE) as probe, ExitStack() as stack:
        began = time.monotonic()
        try:
            tab = stack.enter_context(site.socket_as(probe, site.socket_path))
            frame = tab.receive(REQUEST_TIMEOUT)
        except (NoAnswer, TimeoutError) as error:
            found = tab_trials.judge_no_frame(error)
        else:
            found = tab_trials.judge_first(frame, probe.policy, time.monotonic() - began)
        yield found
        if found.outcome is Outcome.OK:
            yield from tab_trials.try_activity(site, probe, tab)
            yield fallback.try_fallback(site, probe)
        else:
            rest: Trials = {trial: texts for trial, texts in OF_TAB.items() if trial is not Trial.TAB}
            yield from _skip({**rest, **OF_FALLBACK}, NOT_SERVED)


def short_limits(delay: float) -> tuple[float, float]:
    """Return idle timeout and warning of a session that is not warned before its tabs, with `delay` each, are open."""
    slow = max(delay - QUICK, 0.0)
    return SHORT_IDLE_TIMEOUT + (TABS + 1) * slow, SHORT_WARN_BEFORE + slow


def _try_limits(site: Site) -> Iterator[Finding]:
    """Have a session warned, extended and ended in two tabs."""
    idle_timeout, warn_before = short_limits(site.usual_delay)
    with (
        site.probe(idle_timeout=idle_timeout, warn_before=warn_before) as probe,
        ExitStack() as stack,
    ):
        tabs = []
        try:
            for _ in range(TABS):
                tab = stack.enter_context(site.socket_as(probe, site.socket_path))
                tabs.append(tab)
                warned_at = warn_at(tab.receive(REQUEST_TIMEOUT))
        except (NoAnswer, TimeoutError) as error:
            yield from _skip(OF_LIMITS, f"the second session got no tabs: {error or 'no frame in time'}")
            return
        reports = list(site.reports.values())
        for found in limits_trials.try_limits(
            tabs, warned_at, partial(ask_phase, site, probe), reports, site.note_progress
        ):
            yield found
            if found.trial is Trial.END and found.outcome is not Outcome.SKIPPED:
                _await_record(probe)


def _await_record(probe: Probe) -> None:
    """Let the site record the end: it knows the reason."""
    until = time.monotonic() + RECORD_TIMEOUT
    while WatchedSession.objects.live().filter(pk=probe.watch_id).exists() and time.monotonic() < until:
        time.sleep(RECORD_TIMEOUT / 20)
