from __future__ import annotations

from typing import Any

import pytest

from idlewatch.doctor.clients.http_client import NoAnswer
from idlewatch.doctor.clients.socket_client import Closed
from idlewatch.doctor.findings import Outcome
from idlewatch.doctor.tabs.tab_trials import PAUSE, judge_activity, judge_elsewhere, judge_first, judge_no_frame
from idlewatch.monitor import probes

POLICY = probes.limits(idle_timeout=60, warn_before=10)
FRAME: dict[str, Any] = {
    "phase": "active",
    "reason": None,
    "remaining": 59.9,
    "idle_timeout": 60.0,
    "warn_before": 10.0,
}


class TestFirstFrame:
    def test_has_the_limits_of_the_probe(self):
        found = judge_first(FRAME, POLICY, 0.012)
        assert (found.outcome, found.came) == (Outcome.OK, "active, 60 s left of 60, after 12 ms")

    @pytest.mark.parametrize("changed", [{"idle_timeout": 900.0}, {"warn_before": 120.0}])
    def test_with_other_limits_is_a_fault(self, changed: dict[str, float]):
        assert judge_first(FRAME | changed, POLICY, 0.01).outcome is Outcome.FAULT

    @pytest.mark.parametrize(
        ("reason", "cause"),
        [("lost", "another database"), (None, "another database"), ("idle", "clocks"), ("revoked", "its record")],
    )
    def test_of_an_ended_session_names_the_likely_cause(self, reason: str | None, cause: str):
        found = judge_first(FRAME | {"phase": "ended", "reason": reason, "remaining": 0.0}, POLICY, 0.01)
        assert found.outcome is Outcome.FAULT
        assert f"reason {reason}" in found.came
        assert cause in found.hint

    @pytest.mark.parametrize(
        ("error", "cause"),
        [
            (Closed(4503, ""), "memory store"),
            (Closed(4429, ""), "MAX_TABS"),
            (Closed(1006, ""), "the log of the site"),
            (NoAnswer("403 Forbidden"), "the log of the site"),
            (TimeoutError(), "the log of the site"),
        ],
    )
    def test_that_does_not_come_is_a_fault(self, error: Exception, cause: str):
        found = judge_no_frame(error)
        assert found.outcome is Outcome.FAULT
        assert found.came
        assert cause in found.hint


class TestActivity:
    def test_brings_the_time_back(self):
        assert judge_activity(60.0, 60.0 - PAUSE, 59.9).outcome is Outcome.OK

    def test_that_brings_nothing_back_is_a_fault(self):
        found = judge_activity(60.0, 58.8, 58.6)
        assert (found.outcome, "not credited" in found.hint) == (Outcome.FAULT, True)

    def test_which_reading_counts_for_is_a_fault(self):
        found = judge_activity(60.0, 60.0, 60.0)
        assert (found.outcome, "Reading the state counts" in found.hint) == (Outcome.FAULT, True)


class TestElsewhere:
    def test_all_have_it(self):
        found = judge_elsewhere(59.8, [59.8, 59.7, 59.7, 59.6], 58.8, ["p1", "p2"])
        assert found.outcome is Outcome.OK
        assert "from 2 processes (p1, p2)" in found.came

    def test_a_store_of_another_environment_is_a_fault(self):
        found = judge_elsewhere(None, [59.8], 58.8, ["p1"])
        assert (found.outcome, "another store" in found.hint) == (Outcome.FAULT, True)

    @pytest.mark.parametrize("answers", [[59.8, 57.0], [59.8, "503 Service Unavailable, and no state"]])
    def test_a_process_with_other_facts_is_a_fault(self, answers: list[float | str]):
        assert judge_elsewhere(59.8, answers, 58.8, ["p1", "p2"]).outcome is Outcome.FAULT

    def test_so_is_a_replica_that_lags(self):
        assert judge_elsewhere(57.0, [59.8], 58.8, ["p1"]).outcome is Outcome.FAULT
