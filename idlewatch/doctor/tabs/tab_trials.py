"""The trials of one tab: its first state, and activity that is credited, in every process."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from idlewatch.core.policy import Phase, Policy
from idlewatch.core.protocol import Close
from idlewatch.doctor.clients.http_client import NoAnswer
from idlewatch.doctor.clients.socket_client import Closed, TabSocket
from idlewatch.doctor.clients.state_endpoint import ask_state
from idlewatch.doctor.findings import Finding, Trial, fault, ok, skipped
from idlewatch.doctor.phrases import counted, named
from idlewatch.doctor.site import Site
from idlewatch.exceptions import StoreUnavailable, Undecided
from idlewatch.monitor import stores
from idlewatch.monitor.probes import Probe
from idlewatch.process import now

FIRST = "First frame in a tab of a session"
FIRST_EXPECTED = "an active state with the session's own limits"
ACTIVITY = "Activity in a tab"
CREDITED = "the time left goes down while the state is read, and up with the activity"
ELSEWHERE = "That activity, seen from other processes"
SEEN = "each process has it"
PAUSE = 1.2
"""Seconds without activity before it is sent: what it brings back must be more than what a slow answer takes."""
LEAST_GAIN = 0.5
"""Seconds that activity brings back at least."""
CREDIT_TIMEOUT = 8.0
"""Seconds after which activity is credited at the latest."""
POLL_INTERVAL = 0.2
STATE_REQUESTS = 4
"""Requests for the state, each over a connection of its own, that several processes may answer."""


def judge_first(frame: Mapping[str, Any], policy: Policy, seconds: float) -> Finding:
    """Judge the first frame of a tab, which came after `seconds`, of a session with these limits."""
    phase, idle, warn = frame.get("phase"), frame.get("idle_timeout"), frame.get("warn_before")
    if phase != Phase.ACTIVE:
        reason = frame.get("reason")
        return fault(Trial.TAB, FIRST, f"{phase}, reason {reason}", FIRST_EXPECTED, _why_not_active(reason))
    came = f"active, {frame['remaining']:.0f} s left of {idle:g}, after {seconds * 1000:.0f} ms"
    if (idle, warn) != (policy.idle_timeout, policy.warn_before):
        expected = f"{FIRST_EXPECTED}: idle {policy.idle_timeout:g} s, warning {policy.warn_before:g} s before"
        hint = "The limits of a session change on the way from its record: do all processes have the same version?"
        return fault(Trial.TAB, FIRST, f"{came}; warning {warn} s before", expected, hint)
    return ok(Trial.TAB, FIRST, came, FIRST_EXPECTED)


def judge_no_frame(error: Exception) -> Finding:
    """Judge that a tab of a session got no frame."""
    code = error.code if isinstance(error, Closed) else None
    hint = {
        int(Close.GOING_AWAY): (
            "The process that serves the tab can't determine the session's state: it is a second one on the memory "
            "store, or store or database are away. See the section store."
        ),
        int(Close.TOO_MANY): "MAX_TABS leaves no room for a tab.",
    }.get(code or 0, "The socket opens for a visitor, and not with a session: see the log of the site.")
    came = "no frame in time" if isinstance(error, TimeoutError) else str(error)
    return fault(Trial.TAB, FIRST, came, FIRST_EXPECTED, hint)


def _why_not_active(reason: object) -> str:
    if reason in {None, "lost"}:
        return (
            "The site does not find a session that this command has just made: it has another database, another "
            "SESSION_ENGINE, cache or SECRET_KEY than this environment, or reads from a replica that lags."
        )
    if reason in {"idle", "absolute"}:
        return "The clocks of this machine and of the site differ by more than the limits of the session."
    return "Something ended the session at once: see its record in the admin, and the log of the site."


def try_activity(site: Site, probe: Probe, tab: TabSocket) -> Iterator[Finding]:
    """Send activity, and see it credited here and elsewhere."""
    site.note_progress(f"Leaving a tab without activity, {PAUSE:.0f} s")
    try:
        first = ask_state(site, probe)
        time.sleep(PAUSE)
        before = ask_state(site, probe)
        tab.send({"type": "activity"})
        after = _await_credit(site, probe, before)
    except NoAnswer as error:
        hint = "The state is asked for as a page does that has no socket: see the log of the site."
        yield fault(Trial.ACTIVITY, ACTIVITY, str(error), CREDITED, hint)
        yield skipped(Trial.ACTIVITY_ELSEWHERE, ELSEWHERE, "the state of the session could not be read", SEEN)
        return
    found = judge_activity(*(float(frame["remaining"]) for frame in (first, before, after)))
    yield found
    if found.outcome != "ok":
        yield skipped(Trial.ACTIVITY_ELSEWHERE, ELSEWHERE, "activity was not credited at all", SEEN)
    else:
        yield _try_elsewhere(site, probe, float(before["remaining"]))


def _await_credit(site: Site, probe: Probe, before: Mapping[str, Any]) -> Mapping[str, Any]:
    deadline = time.monotonic() + CREDIT_TIMEOUT
    while True:
        after = ask_state(site, probe)
        if float(after["remaining"]) >= float(before["remaining"]) + LEAST_GAIN or time.monotonic() > deadline:
            return after
        time.sleep(POLL_INTERVAL)


def judge_activity(first: float, before: float, after: float) -> Finding:
    """Judge activity by the seconds that were left: at first, a `PAUSE` later, and after it was sent."""
    came = f"{first:.1f} s left, {before:.1f} s before it, {after:.1f} s after it"
    if before > first - PAUSE / 2:
        hint = (
            "Reading the state counts as activity: something removes the middleware's marks of passive requests, or a "
            "script keeps the session alive. No session would ever end while a page is open."
        )
        return fault(Trial.ACTIVITY, ACTIVITY, came, CREDITED, hint)
    if after < before + LEAST_GAIN:
        hint = (
            "Messages of tabs do not arrive, or are not credited: users are warned while they work. See the site's log."
        )
        return fault(Trial.ACTIVITY, ACTIVITY, came, CREDITED, hint)
    return ok(Trial.ACTIVITY, ACTIVITY, came, CREDITED)


def _try_elsewhere(site: Site, probe: Probe, before: float) -> Finding:
    store = stores.current()
    if not store.shared:
        why = "the memory store belongs to one process, which has credited it"
        return skipped(Trial.ACTIVITY_ELSEWHERE, ELSEWHERE, why, SEEN)
    try:
        watched = store.sessions.get(probe.watch_id)
    except (StoreUnavailable, Undecided):
        return skipped(Trial.ACTIVITY_ELSEWHERE, ELSEWHERE, "the store is away for this command", SEEN)
    here = None if watched is None else watched.verdict(now()).remaining
    answers = [_ask_remaining(site, probe) for _ in range(STATE_REQUESTS)]
    return judge_elsewhere(here, answers, before, list(site.reports))


def _ask_remaining(site: Site, probe: Probe) -> float | str:
    try:
        return float(ask_state(site, probe)["remaining"])
    except NoAnswer as error:
        return str(error)


def judge_elsewhere(
    here: float | None, answers: Sequence[float | str], before: float, processes: Sequence[str]
) -> Finding:
    """Judge where activity arrived: after it, more than `before` seconds are left.

    `here`: the seconds left by the store, as this process reads it; None: it has no such session. `answers`: those that
    requests are told, or what came instead; `processes`: the names of those that answer.
    """
    told = [f"{answer:.1f} s" if isinstance(answer, float) else answer for answer in answers]
    own = "nothing" if here is None else f"{here:.1f} s"
    names = f"{counted(len(processes), 'process')} ({named(processes)})"
    came = f"{own} left for this process, {', '.join(dict.fromkeys(told))} in {len(told)} answers from {names}"
    if here is None:
        hint = "This environment leads to another store than the site's: compare STORE, its LOCATION and PREFIX."
        return fault(Trial.ACTIVITY_ELSEWHERE, ELSEWHERE, came, SEEN, hint)
    least = before - LEAST_GAIN
    if here < least or any(not isinstance(answer, float) or answer < least for answer in answers):
        hint = "Some processes judge by another store, or read from a replica of it: compare STORE in all of them."
        return fault(Trial.ACTIVITY_ELSEWHERE, ELSEWHERE, came, SEEN, hint)
    return ok(Trial.ACTIVITY_ELSEWHERE, ELSEWHERE, came, SEEN)
