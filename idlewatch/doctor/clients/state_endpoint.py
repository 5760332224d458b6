"""The state of a probe, as a script of a page asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.urls import reverse

from idlewatch.doctor.clients.http_client import FETCH, Answer, NoAnswer
from idlewatch.doctor.site import Site
from idlewatch.monitor.probes import Probe


def ask_state(site: Site, probe: Probe) -> Mapping[str, Any]:
    """Return the state frame of a probe, over a new connection; it counts as no activity.

    Raises:
        NoAnswer: none came, or something else.
    """
    return frame_in(site.request_as(probe, site.path_to(reverse("idlewatch:state")), headers=FETCH))


def ask_phase(site: Site, probe: Probe) -> str:
    """Return the phase of a probe, or what came instead, in a phrase."""
    try:
        return str(ask_state(site, probe)["phase"])
    except NoAnswer as error:
        return str(error)


def frame_in(answer: Answer) -> Mapping[str, Any]:
    """Return the state frame in an answer.

    Raises:
        NoAnswer: it has none.
    """
    frame = answer.json_object
    if frame is None or frame.get("type") != "state" or "phase" not in frame:
        raise NoAnswer(f"{answer.summary}, and no state")
    return frame
