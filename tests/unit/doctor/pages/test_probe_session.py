"""Judgment on whether the site accepts a probe's session."""

from __future__ import annotations

import pytest

from idlewatch.doctor.clients.http_client import Answer
from idlewatch.doctor.findings import Outcome
from idlewatch.doctor.pages.probe_session import judge_probe
from tests.support.answers import answer, page, redirect


def frame(phase: str, reason: str | None = None) -> dict[str, object]:
    return {"type": "state", "phase": phase, "reason": reason, "remaining": 109.6}


def test_one_that_is_accepted():
    finding = judge_probe(answer(200, frame("active")))
    assert finding.outcome is Outcome.OK
    assert finding.came == "200, active, 1 min 50 s left"


@pytest.mark.parametrize(
    ("came", "hint"),
    [
        (answer(401, frame("ended", "lost")), "LocMemCache"),
        (answer(401, frame("ended")), "'sessionid' did not arrive"),
        (answer(401, frame("ended", "absolute")), "clock"),
        (answer(401, page()), "ended before"),
        (answer(503, page()), "store-owner"),
        (redirect("/login/"), "middleware"),
        (answer(200, page()), "middleware"),
        (answer(200, frame("warned", "idle")), "middleware"),
    ],
)
def test_one_that_is_not(came: Answer, hint: str):
    finding = judge_probe(came)
    assert finding.outcome is Outcome.FAULT
    assert hint in finding.hint


@pytest.mark.parametrize("setting", ["CACHES", "DATABASES", "DATABASE_ROUTERS", "SESSION_ENGINE"])
def test_one_that_is_kept_elsewhere_than_the_site_looks_for_it_is_the_fault_of_those_settings(setting: str):
    finding = judge_probe(answer(401, frame("ended")), {setting, "DEBUG"})
    assert finding.outcome is Outcome.SKIPPED
    assert "see same-settings" in finding.came


def test_other_settings_that_differ_excuse_nothing():
    assert judge_probe(answer(401, frame("ended")), {"SESSION_COOKIE_NAME"}).outcome is Outcome.FAULT
    assert judge_probe(answer(500, page()), {"DATABASES"}).outcome is Outcome.FAULT
