"""The handshake of a tab without a session, through the proxy: 101, an ended frame, and a close."""

from __future__ import annotations

import time

from idlewatch.core.protocol import Close
from idlewatch.doctor.clients.connection import NoAnswer
from idlewatch.doctor.clients.socket_client import Closed, Refused, TabSocket, pass_time
from idlewatch.doctor.findings import Finding, Flaw, Trial, fault, ok, skipped, warning
from idlewatch.doctor.site import Site
from idlewatch.http.login_views import REDIRECTS
from idlewatch.ops.self_report import SelfReport

FRAME_TIMEOUT = 5.0
"""Seconds within which a frame or a close has to come."""
ENDED = "101, an ended frame, and close 4401"
UPGRADE = (
    "The proxy does not pass on the upgrade: it has to speak HTTP/1.1 to the server and to send the headers Upgrade "
    "and Connection. For nginx: proxy_http_version 1.1; and both headers as in docs/deployment.md."
)


def try_handshake(site: Site, report: SelfReport, path: str) -> Finding:
    """Open a tab's socket at a path, from the site's own origin, and read what comes."""
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
    swallowed = "Something on the way buffers or drops frames: turn off response buffering for sockets at each proxy."
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
        pass_time(socket, FRAME_TIMEOUT)
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
        why = f"403, since the origin is {sent}, and to the site its own is {seen}; see above"
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
            return f"The proxy changes the header Origin, a request arrives {came}: have it leave that header alone."
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
