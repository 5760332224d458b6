"""A socket that is left alone, which a proxy with too short a timeout cuts off."""

from __future__ import annotations

import time

from idlewatch.doctor.clients.connection import NoAnswer
from idlewatch.doctor.clients.socket_client import TabSocket, pass_time
from idlewatch.doctor.findings import Finding, Trial, fault, ok, skipped
from idlewatch.doctor.network.handshake import FRAME_TIMEOUT
from idlewatch.doctor.site import Site

TRIED = "A socket left alone"


def try_idle_socket(site: Site, path: str) -> Finding:
    """Leave the socket of a probe alone for as long as the operator asks."""
    seconds = site.options.idle
    trial, tried, expected = Trial.IDLE_SOCKET, TRIED, "it stays open, and answers"
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
        "A proxy cuts off sockets that are silent for that long: have the server ping them (Daphne does each 20 s), "
        "and make the proxy's timeout longer than that. For nginx: proxy_read_timeout 120s;"
    )
    return fault(trial, tried, cut, expected, hint)


def _leave_alone(site: Site, socket: TabSocket, seconds: float) -> str | None:
    """Leave a socket alone; return how it ended, or None if it still answers."""
    began = time.monotonic()
    try:
        while (left := began + seconds - time.monotonic()) > 0:
            site.note_progress(f"A socket is left alone, {left:.0f} s left")
            pass_time(socket, min(left, 1.0))
        socket.send({"type": "sync"})
        socket.receive(FRAME_TIMEOUT)
    except TimeoutError:
        return f"open, and no answer within {FRAME_TIMEOUT:g} s"
    except NoAnswer as error:
        return f"cut off after {time.monotonic() - began:.0f} s: {error}"
    return None
