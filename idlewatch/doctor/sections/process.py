"""The process section: the versions, the checks, the processes that answer, and their timers."""

from __future__ import annotations

import platform
from collections.abc import Iterator

from django.conf import settings
from django.core import checks

from idlewatch.conf.extras import Extra, is_installed
from idlewatch.doctor.findings import Finding, Trial, fault, ok, skipped, warning
from idlewatch.doctor.phrases import counted, duration, named, process, processes
from idlewatch.doctor.site import Site
from idlewatch.ops.self_report import SelfReport, settings_digests, versions

DECISIVE_SETTINGS = frozenset(
    {"CACHES", "CHANNEL_LAYERS", "DATABASES", "DATABASE_ROUTERS", "IDLEWATCH", "SESSION_ENGINE"}
)
"""The settings that name a site's parts: with others, the doctor examines the parts of another site."""
TRIED_HERE = frozenset({"idlewatch.W034"})
"""The checks of what the doctor tries by itself: whether there is one process for the memory store."""
LATE_ROUND_AGE = 3.0
"""Seconds since the latest round after which a timer counts as late: there is one each second."""
EACH_SECOND = "a round each second"
MAX_APART = 2.0
"""Seconds by which clocks may differ."""


def examine(site: Site) -> Iterator[Finding]:
    """Look at the versions and the checks here, and at the processes that answer at the address."""
    yield _versions()
    yield from _checks()
    site.own_store.follow_time()
    reports = list(site.reports.values())
    if not reports:
        yield from _without_answer(site)
        return
    yield from _answering(site, reports)
    yield _same_versions(reports)
    yield _same_settings(reports)
    is_any_alive = bool(site.own_store.living)
    for report in reports:
        if report.is_store_shared and site.own_store.failure is not None:
            why = "no timer works without the store, which can't be reached; see store"
            yield skipped(Trial.TIMER, f"Timer of process {process(report)}", why, EACH_SECOND)
        else:
            yield _timer(report, is_any_alive=is_any_alive)
    yield _clocks(site)


def _versions() -> Finding:
    installed = ", ".join(f"{package} {version}" for package, version in versions().items())
    extras = ", ".join(extra.value for extra in Extra if is_installed(extra)) or "none"
    came = f"Python {platform.python_version()}, {installed}; extras: {extras}"
    return ok(Trial.VERSIONS, "Versions here", came, "any that the checks accept")


def _checks() -> Iterator[Finding]:
    is_deployed = not settings.DEBUG
    tried, expected = f"manage.py check{' --deploy' * is_deployed}", "no finding of idlewatch"
    found = [each for each in checks.run_checks(include_deployment_checks=is_deployed) if not each.is_silenced()]
    found = [each for each in found if each.level > checks.INFO]
    ours = {str(each): each for each in found if str(each.id).startswith("idlewatch.") and each.id not in TRIED_HERE}
    for each in ours.values():
        make = fault if each.level >= checks.ERROR else warning
        yield make(Trial.CHECKS, tried, f"{each.id}: {each.msg}", expected, str(each.hint or ""))
    if not ours:
        came = expected + (f", {len(found)} of other apps" if found else "")
        yield ok(Trial.CHECKS, tried, came, expected)


def _without_answer(site: Site) -> Iterator[Finding]:
    why = site.why_unreached or "nothing answers"
    for trial, tried, expected in (
        (Trial.ANSWERING, "Processes that answer", "at least one"),
        (Trial.SAME_VERSIONS, "Versions of the processes that answer", "those here"),
        (Trial.SAME_SETTINGS, "Settings of the processes that answer", "those here"),
        (Trial.TIMER, "Timer of the processes that answer", EACH_SECOND),
        (Trial.PROCESS_CLOCK, "Clocks of the processes that answer", "that of the doctor"),
    ):
        yield skipped(trial, tried, why, expected)


def _answering(site: Site, reports: list[SelfReport]) -> Iterator[Finding]:
    tried = f"Processes that answer at {site.address.origin}"
    came = f"{counted(len(reports), 'process')}: {processes(reports)}"
    in_memory = [report for report in reports if not report.is_store_shared]
    if not in_memory:
        yield ok(Trial.ANSWERING, tried, came, "one or more, which share their store")
        return
    expected = "one process, since the store is in memory"
    refused = [report for report in in_memory if report.store_owner is not None]
    if len(reports) == 1 and not refused:
        yield ok(Trial.ANSWERING, tried, came, expected)
        return
    if refused:
        came += f"; {named(each.process for each in refused)}: the store belongs to {refused[0].store_owner}"
    hint = (
        "There are two workers on the memory store: each has sessions of its own, and all but one answer 503 to users "
        "who are signed in. Run one worker process, or use the Redis store (IDLEWATCH['STORE'])."
    )
    # Which process answers is left to chance, and so is what would be found.
    site.why_no_session = f"all processes but one refuse sessions; see the trial {Trial.ANSWERING}"
    yield fault(Trial.ANSWERING, tried, came, expected, hint)


def _same_versions(reports: list[SelfReport]) -> Finding:
    tried, expected = "Versions of the processes that answer", "those here"
    here = {**versions(), "Python": platform.python_version()}
    differing = set()
    for report in reports:
        there = {**report.versions, "Python": report.python}
        differing |= {
            f"{name} {there.get(name, 'missing')} in {report.process}, {here.get(name, 'missing')} here"
            for name in {*here, *there}
            if here.get(name) != there.get(name)
        }
    if not differing:
        return ok(Trial.SAME_VERSIONS, tried, "those here", expected)
    hint = (
        "Servers that were not restarted after an upgrade run the old code: restart them. Or this is another "
        "environment than theirs: run the doctor where they run."
    )
    return warning(Trial.SAME_VERSIONS, tried, named(differing), expected, hint)


def _same_settings(reports: list[SelfReport]) -> Finding:
    tried, expected = "Settings of the processes that answer", "those here"
    here = settings_digests()
    differing = {name for report in reports for name in here if report.settings.get(name) != here[name]}
    if not differing:
        return ok(Trial.SAME_SETTINGS, tried, "those here", expected)
    if len(differing) == len(here):
        # The digests have the secret key in them.
        hint = "Restart the servers: the key here has changed, and theirs is now a fallback."
        return fault(Trial.SAME_SETTINGS, tried, "another SECRET_KEY", expected, hint)
    make = fault if differing & DECISIVE_SETTINGS else warning
    hint = (
        "They run with other settings than this command, which then looks at other parts than theirs. Run it in their "
        "environment (DJANGO_SETTINGS_MODULE, environment variables), or restart them if the settings are new."
    )
    return make(Trial.SAME_SETTINGS, tried, f"others: {', '.join(sorted(differing))}", expected, hint)


def _timer(report: SelfReport, *, is_any_alive: bool) -> Finding:
    """Judge the timer of a process; `is_any_alive`: whether a timer of the shared store is known to run."""
    tried, expected = f"Timer of process {process(report)}", EACH_SECOND
    timer = report.timer
    if report.store_owner is not None:
        return skipped(Trial.TIMER, tried, "the memory store belongs to another process", expected)
    if timer is None:
        if report.interface == "wsgi" and report.is_store_shared and is_any_alive:
            return ok(Trial.TIMER, tried, "none here; other processes of the store run one", "a timer in some process")
        hint = (
            f"Sessions end late, and no tab is told. Wrap the application by idlewatch.{report.interface}.watched; if "
            "it is wrapped, the timer has died: see the log of the process, and restart it."
        )
        return fault(Trial.TIMER, tried, "it does not run", expected, hint)
    hint = (
        "Something blocks it: see the log of the process for slow receivers, a slow database, or a store that is away."
    )
    if timer.round_age is None:
        return fault(Trial.TIMER, tried, "it has kept no round yet", expected, hint)
    late = max(timer.round_age - 1.0, 0.0)
    came = f"latest round {duration(timer.round_age)} ago, " + (f"{duration(late)} late" if late else "in time")
    if not timer.keeps_rounds:
        return fault(Trial.TIMER, tried, came, expected, f"It is stuck: sessions end late. {hint}")
    if timer.round_age > LATE_ROUND_AGE:
        return warning(Trial.TIMER, tried, came, expected, hint)
    return ok(Trial.TIMER, tried, came, expected)


def _clocks(site: Site) -> Finding:
    tried, expected = "Clocks of the processes that answer", f"within {MAX_APART:g} s of the doctor's"
    ahead = {each.report.process: each.clock_ahead for each in site.answered if each.report is not None}
    name, most = max(ahead.items(), key=lambda item: abs(item[1]), default=("", 0.0))
    if abs(most) <= MAX_APART:
        return ok(Trial.PROCESS_CLOCK, tried, f"{duration(abs(most))} apart at most", expected)
    came = f"{name} is {duration(abs(most))} {'ahead' if most > 0 else 'behind'}"
    shared = any(report.is_store_shared for report in site.reports.values())
    hint = "Keep the clocks of all hosts in step (NTP)."
    if shared:
        return fault(Trial.PROCESS_CLOCK, tried, came, expected, f"They follow the clock of the store. {hint}")
    return warning(Trial.PROCESS_CLOCK, tried, came, expected, f"A clock was set after that process started. {hint}")
