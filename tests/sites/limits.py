"""The limits of each session: those that the visitor's browser asks for by a cookie."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

COOKIE = "limits"
IDLE, WARN, GRACE = 3.5, 1.75, 1.0
BRIEF = {"IDLE_TIMEOUT": IDLE, "WARN_BEFORE": WARN, "CLOSE_GRACE": GRACE, "HEARTBEAT": 0.5}
"""For the journey: it is warned and ended."""
STEADY = BRIEF | {"IDLE_TIMEOUT": 60.0, "WARN_BEFORE": 20.0}
"""For outages: nothing but a closed browser ends it."""


def cookie(limits: dict[str, float]) -> str:
    return "|".join(f"{key}:{limit}" for key, limit in limits.items())


def limits(user: Any, request: HttpRequest) -> dict[str, float]:
    """Return what the cookie asks for."""
    pairs = [each.split(":") for each in request.COOKIES.get(COOKIE, "").split("|") if each]
    return {key: float(limit) for key, limit in pairs}
