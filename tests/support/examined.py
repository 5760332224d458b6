"""Sites under examination for the tests of the doctor, of which the processes that answer are made up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from django.test import RequestFactory
from msgspec.structs import replace

from idlewatch.doctor.address import parse_address
from idlewatch.doctor.challenges import Answered
from idlewatch.doctor.findings import Finding, Outcome, Trial
from idlewatch.doctor.site import Options, Site
from idlewatch.ops.self_report import SelfReport, TimerReport, self_report

IN_TIME = TimerReport(round_age=0.4, is_listening=True)


def report(process: str = "p1", **changes: Any) -> SelfReport:
    """Return the report of a process on which nothing is wrong: on the memory store, with these settings."""
    right = self_report(RequestFactory().get("/idlewatch/diagnosis/"))
    made_up = {"process": process, "pid": 11, "machine": "web", "interface": "asgi", "is_store_shared": False}
    return replace(right, **{**made_up, "timer": IN_TIME, "has_cached": None, **changes})


@contextmanager
def examined(*reports: SelfReport, clock_ahead: float = 0.0, **options: Any) -> Iterator[Site]:
    """Examine a site at which these processes answer."""
    address = parse_address("http://testserver/")
    with closing(Site(Options(address=address, **options))) as site:
        vars(site)["answered"] = [Answered(each, "200 OK", {}, clock_ahead) for each in reports]
        yield site


def outcomes(findings: Iterable[Finding]) -> dict[Trial, Outcome]:
    """Return how each trial came out: of several findings the worst."""
    order = [Outcome.SKIPPED, Outcome.OK, Outcome.WARNING, Outcome.FAULT]
    came = dict[Trial, Outcome]()
    for finding in findings:
        came[finding.trial] = max(came.get(finding.trial, Outcome.SKIPPED), finding.outcome, key=order.index)
    return came


def of(findings: Iterable[Finding], trial: Trial) -> Finding:
    """Return the one finding of a trial."""
    (found,) = [finding for finding in findings if finding.trial is trial]
    return found
