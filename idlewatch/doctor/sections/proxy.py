"""The proxy section: what it passes on of requests, and how it treats sockets."""

from __future__ import annotations

import time
from collections.abc import Iterator

from django.urls import get_script_prefix, reverse

from idlewatch.core.protocol import Close
from idlewatch.doctor.connection import NoAnswer
from idlewatch.doctor.findings import Finding, Flaw, Trial, fault, ok, skipped, warning
from idlewatch.doctor.forwarding import (
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
from idlewatch.doctor.site import Site
from idlewatch.doctor.socket_client import Closed, Refused, TabSocket
from idlewatch.doctor.unanswered import REDIRECTS, why_unanswered
from idlewatch.ops.self_report import SelfReport

FRAME_TIMEOUT = 5.0
"""Seconds within which a frame or a close has to come."""
UPGRADE = (
    "The proxy does not pass on the upgrade: it has to speak HTTP/1.1 to the server and to send the headers Upgrade "
    "and Connection. For nginx: proxy_http_version 1.1; and both headers as in docs/deployment.md."
)
WITH_SITE = {
    Trial.SCHEME: "Scheme as the site sees it",
    Trial.HOST: "Host as the site sees it",
    Trial.SUB_PATH: "Addresses that pages name",
    Trial.CLIENT_ADDRESS: "Client's address as the site sees it",
    Trial.FORGED_ADDRESS: f"Forged headers that name {FORGED_ADDRESS}",
    Trial.HANDSHAKE: "Handshake of a tab without a session",
    Trial.IDLE_SOCKET: "A socket left alone",
}
ENDED = "101, an ended frame, and close 4401"


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
    yield _handshake(site, report, expected.socket)
    yield _idle_socket(site, socket_path)


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
        return skipped(trial, tried, "no proxy is between; give the public address by --url", expected)
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


def _handshake(site: Site, report: SelfReport, path: str) -> Finding:
    tried, began = f"Handshake of a tab without a session at {path}", time.monotonic()
    try:
        with site.socket(path, origin=site.address.origin) as socket:
            elapsed = time.monotonic() - began
            flaw = _first_frames(socket)
    except Refused as error:
        return _refused(site, report, tried, error)
    except NoAnswer as error:
        return fault(Trial.HANDSHAKE, tried, str(error), ENDED, UPGRADE)
    if flaw is not None:
        return fault(Trial.HANDSHAKE, tried, flaw.came, ENDED, flaw.hint)
    return ok(Trial.HANDSHAKE, tried, f"{ENDED}, in {elapsed * 1000:.0f} ms", ENDED)


def _first_frames(socket: TabSocket) -> Flaw | None:
    swallowed = "Something between buffers or drops frames: no response buffering for sockets, at each proxy."
    try:
        socket.receive_phase("ended", FRAME_TIMEOUT)
    except TimeoutError:
        return Flaw(f"101, and no frame within {FRAME_TIMEOUT:g} s", swallowed)
    except Closed as error:
        if error.code == Close.GOING_AWAY:
            return Flaw(f"101, then {error}", "The process cannot judge sessions right now: see /readyz and its log.")
        return Flaw(f"101, then {error} before a frame", "Another application answers there, or the proxy cuts it off.")
    except NoAnswer as error:
        return Flaw(f"101, then {error}", "Another application answers at this path.")
    try:
        _pass(socket, FRAME_TIMEOUT)
    except Closed as error:
        if error.code == Close.ENDED:
            return None
        return Flaw(f"101, an ended frame, then {error}", "The proxy hides close codes, or cuts the socket off.")
    except NoAnswer as error:
        return Flaw(f"101, an ended frame, then {error}", "Another application answers at this path.")
    return Flaw(f"101 and an ended frame, and no close within {FRAME_TIMEOUT:g} s", swallowed)


def _refused(site: Site, report: SelfReport, tried: str, error: Refused) -> Finding:
    """Return the finding for an answer other than 101."""
    seen, sent = f"{report.scheme}://{report.host}", site.address.origin
    if error.status == 403 and seen != sent:
        why = f"403, since the origin is {sent} and the site takes itself for {seen}; see above"
        return skipped(Trial.HANDSHAKE, tried, why, ENDED)
    if report.interface == "wsgi":
        hint = "The server is a WSGI server, which has no sockets: pages use HTTP, and learn of changes later."
        return warning(Trial.HANDSHAKE, tried, str(error), ENDED, hint)
    if report.timer is None:
        why = f"{error}, since the application is not wrapped with watched; see {Trial.TIMER.value}"
        return skipped(Trial.HANDSHAKE, tried, why, ENDED)
    return fault(Trial.HANDSHAKE, tried, str(error), ENDED, _refusal_hint(site, error.status))


def _refusal_hint(site: Site, status: int) -> str:
    if status == 403:
        arrived = site.challenge({"Origin": site.address.origin}).report
        if arrived is not None and arrived.origin != site.address.origin:
            came = f"as {arrived.origin}" if arrived.origin else "without it"
            return (
                f"The proxy does not pass on the header Origin, the request arrives {came}: have it leave that alone."
            )
        return (
            "The origin is the site's own, so another part refuses it: an OriginValidator of the project, a firewall, "
            "or a proxy that changes the header Origin for sockets."
        )
    if status in REDIRECTS:
        return "Browsers follow no redirect of a handshake: exempt /ws/ from what redirects to https or to a login."
    if status == 500:
        return (
            "The server has no application for sockets: make watched(…) the outermost one in asgi.py, around any "
            "router, as in application = watched(get_asgi_application()). See its log."
        )
    return UPGRADE


def _idle_socket(site: Site, path: str) -> Finding:
    seconds = site.options.idle
    trial, tried, expected = Trial.IDLE_SOCKET, WITH_SITE[Trial.IDLE_SOCKET], "it stays open, and answers"
    if not seconds:
        return skipped(trial, tried, "it takes a while; give --idle 70", expected)
    if site.why_no_probe is not None:
        return skipped(trial, tried, site.why_no_probe, expected)
    tried = f"{tried} for {seconds:g} s"
    try:
        with site.probe() as probe, site.socket_as(probe, path) as socket:
            socket.receive_phase("active", FRAME_TIMEOUT)
            cut = _leave_alone(site, socket, seconds)
    except (NoAnswer, TimeoutError) as error:
        return skipped(trial, tried, f"no socket with a session opens: {str(error) or 'no frame came'}", expected)
    if cut is None:
        return ok(trial, tried, expected, expected)
    hint = (
        "A proxy cuts off sockets that are silent for so long: make its timeout longer than the interval of the "
        "server's pings, for nginx proxy_read_timeout 120s; or the server sends none (Daphne does each 20 s)."
    )
    return fault(trial, tried, cut, expected, hint)


def _leave_alone(site: Site, socket: TabSocket, seconds: float) -> str | None:
    """Leave a socket alone; return how it ended, or None if it still answers."""
    began = time.monotonic()
    try:
        while (left := began + seconds - time.monotonic()) > 0:
            site.note_progress(f"A socket is left alone, {left:.0f} s left")
            _pass(socket, min(left, 1.0))
        socket.send({"type": "sync"})
        socket.receive(FRAME_TIMEOUT)
    except TimeoutError:
        return f"open, and no answer within {FRAME_TIMEOUT:g} s"
    except NoAnswer as error:
        return f"cut off after {time.monotonic() - began:.0f} s: {error}"
    return None


def _pass(socket: TabSocket, seconds: float) -> None:
    """Wait, and read what comes meanwhile."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        try:
            socket.receive(left)
        except TimeoutError:
            return
