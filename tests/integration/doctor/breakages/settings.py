"""Settings that are wrong."""

from __future__ import annotations

from typing import Any

from idlewatch.doctor.findings import Trial
from tests.integration.doctor.breakage import EVERYTHING_WITH_A_SESSION, Base, Breakage

IDLEWATCH = "idlewatch.middleware.IdleWatchMiddleware"


def _without_middleware(right: dict[str, Any]) -> dict[str, Any]:
    return {"MIDDLEWARE": [each for each in right["MIDDLEWARE"] if each != IDLEWATCH]}


def _middleware_first(right: dict[str, Any]) -> dict[str, Any]:
    return {"MIDDLEWARE": [IDLEWATCH, *_without_middleware(right)["MIDDLEWARE"]]}


BREAKAGES = [
    Breakage(
        name="every host is allowed",
        base=Base.ALONE,
        environ={"ALLOWED_HOSTS": "*"},
        faults={Trial.SESSION_COOKIE: "ALLOWED_HOSTS"},
    ),
    Breakage(
        name="the URLs are not included",
        base=Base.ALONE,
        urls="tests.integration.doctor.urls.without_ours",
        faults={Trial.CHECKS: "idlewatch.urls"},
    ),
    Breakage(
        name="the middleware is missing",
        base=Base.ALONE,
        settings=_without_middleware,
        faults={Trial.CHECKS: "E022"},
        consequences=EVERYTHING_WITH_A_SESSION,
    ),
    Breakage(
        name="the middleware is in the wrong place",
        base=Base.ALONE,
        settings=_middleware_first,
        faults={Trial.CHECKS: "E023"},
        consequences=frozenset({Trial.CHALLENGE}),
    ),
]
