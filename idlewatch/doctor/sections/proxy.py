"""The proxy section: what it passes on of requests, and how it treats sockets."""

from __future__ import annotations

from collections.abc import Iterator

from django.urls import get_script_prefix, reverse

from idlewatch.doctor.findings import Finding, Flaw, Trial, fault, ok, skipped, warning
from idlewatch.doctor.network.forwarding import (
    FORGED_ADDRESS,
    FORGED_HEADERS,
    Paths,
    address_flaw,
    host_flaw,
    is_believed,
    origin_flaw,
    paths_for,
    scheme_flaw,
    sub_path_flaw,
)
from idlewatch.doctor.network.handshake import try_handshake
from idlewatch.doctor.network.idle_socket import TRIED, try_idle_socket
from idlewatch.doctor.network.unanswered import why_unanswered
from idlewatch.doctor.site import Site
from idlewatch.ops.self_report import SelfReport

WITH_SITE = {
    Trial.SCHEME: "Scheme as the site sees it",
    Trial.HOST: "Host as the site sees it",
    Trial.SUB_PATH: "Addresses that pages name",
    Trial.CLIENT_ADDRESS: "Client's address as the site sees it",
    Trial.FORGED_ADDRESS: f"Forged headers that name {FORGED_ADDRESS}",
    Trial.HANDSHAKE: "Handshake of a tab without a session",
    Trial.IDLE_SOCKET: TRIED,
}


def examine(site: Site) -> Iterator[Finding]:
    """Look at what the site sees of requests, and try its socket through the proxy."""
    if site.why_unreached is not None:
        yield from _unreached(site, site.why_unreached)
        return
    report = next(iter(site.reports.values()))
    expected = _paths(site)
    yield from _passed_on(site, report, expected)
    yield _forged_address(site, report)
    socket_path = report.socket_url if report.socket_url.startswith("/") else expected.socket
    yield try_handshake(site, report, expected.socket)
    yield try_idle_socket(site, socket_path)


def _unreached(site: Site, why: str) -> Iterator[Finding]:
    """Yield that nothing was tried, but for what the answers to the challenges show."""
    failed = next(iter(site.answered), None)
    cause = None if failed is None else why_unanswered(site, failed)
    for trial, tried in WITH_SITE.items():
        if cause is not None and failed is not None and cause.trial is trial:
            yield fault(trial, tried, f"a challenge gets {failed.came}", "that of the address", cause.hint)
        else:
            yield skipped(trial, tried, why, "a site that answers")


def _paths(site: Site) -> Paths:
    script_name = get_script_prefix().removesuffix("/")
    return paths_for(site.diagnosis_path or "", reverse("idlewatch:diagnosis"), reverse("idlewatch:state"), script_name)


def _passed_on(site: Site, report: SelfReport, paths: Paths) -> Iterator[Finding]:
    route = None if site.client is None else site.client.route
    address = site.address
    scheme, host = (origin_flaw(flaw(report, address), address) for flaw in (scheme_flaw, host_flaw))
    yield _judged(Trial.SCHEME, scheme, report.scheme, address.scheme)
    yield _judged(Trial.HOST, host, report.host or "", address.netloc)
    yield _judged(
        Trial.SUB_PATH,
        sub_path_flaw(report, paths),
        f"pages name {report.state_url} and {report.socket_url}",
        f"{paths.state} and {paths.socket}",
    )
    yield _judged(
        Trial.CLIENT_ADDRESS, address_flaw(report, route), report.address or "", "the address of this machine"
    )


def _judged(trial: Trial, flaw: Flaw | None, came: str, expected: str) -> Finding:
    if flaw is None:
        return ok(trial, WITH_SITE[trial], came, expected)
    return (fault if flaw.is_fatal else warning)(trial, WITH_SITE[trial], flaw.came, expected, flaw.hint)


def _forged_address(site: Site, report: SelfReport) -> Finding:
    trial, tried, expected = Trial.FORGED_ADDRESS, WITH_SITE[Trial.FORGED_ADDRESS], "another address"
    if site.address.is_loopback and not report.forwarded:
        return skipped(trial, tried, "no proxy is in between; give the public address with --url", expected)
    answered = site.challenge(FORGED_HEADERS)
    if answered.report is None:
        return skipped(trial, tried, f"such a request gets {answered.came}", expected)
    if not is_believed(answered.report):
        return ok(trial, tried, f"the site sees {answered.report.address}", expected)
    if answered.report.peer == FORGED_ADDRESS:
        hint = "The server believes the first address in X-Forwarded-For: have the proxy overwrite that header."
    else:
        hint = "IDLEWATCH['CLIENT_IP'] counts more proxies than there are, or reads a header that the proxy passes on."
    return fault(trial, tried, f"the site sees {FORGED_ADDRESS}", expected, hint)
