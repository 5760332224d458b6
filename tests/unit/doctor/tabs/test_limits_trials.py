"""Warning, extension and end in two tabs, which are played here: what comes in them is scripted."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from idlewatch.core.policy import Phase
from idlewatch.doctor.clients.socket_client import Closed
from idlewatch.doctor.findings import Finding, Outcome, Trial
from idlewatch.doctor.tabs import pushes
from idlewatch.doctor.tabs.limits_trials import judge_end, judge_extension, judge_warning, try_limits, why_not_pushed
from idlewatch.doctor.tabs.pushes import NOTHING, Push
from idlewatch.ops.self_report import SelfReport, TimerReport

IN_TIME, LATE, ENDED = (
    Push(0.01, "10 ms after its time", {}),
    Push(1.5, "1500 ms after its time", {}),
    {"reason": "idle"},
)
OVER = Push(0.01, "10 ms after its time", ENDED)


def report(name: str, timer: TimerReport | None) -> SelfReport:
    fields: dict[str, Any] = dict.fromkeys(SelfReport.__struct_fields__)
    return SelfReport(**fields | {"process": name, "timer": timer})


def working(name: str = "p1", *, age: float | None = 0.5, listens: bool = True) -> SelfReport:
    return report(name, TimerReport(round_age=age, is_listening=listens))


class Tab:
    """A tab in which these frames come, each when it is waited for, then a close; None: nothing comes in time."""

    def __init__(self, *frames: Mapping[str, Any] | None) -> None:
        self.frames = list(frames)
        self.sent: list[str] = []

    def receive(self, timeout: float) -> Mapping[str, Any]:
        frame = self.frames.pop(0) if self.frames else {"code": 4401}
        if frame is None:
            raise TimeoutError
        if "code" in frame:
            raise Closed(frame["code"], "")
        return frame

    def send(self, message: Mapping[str, Any]) -> None:
        self.sent.append(message["type"])


WARNED_FRAME = {"phase": "warned", "remaining": 2.0}
ACTIVE_FRAME = {"phase": "active", "remaining": 0.0}
ENDED_FRAME = {"phase": "ended", "reason": "idle"}
STORY = (WARNED_FRAME, ACTIVE_FRAME, ENDED_FRAME)


def run(*tabs: Any, phase: str = "warned", reports: Sequence[SelfReport] = ()) -> dict[Trial, Finding]:
    found = try_limits(tabs, time.monotonic(), lambda: phase, reports, lambda _: None)
    return {each.trial: each for each in found}


def outcomes(found: dict[Trial, Finding]) -> list[str]:
    return [found[trial].outcome.value for trial in (Trial.WARNING, Trial.EXTENSION, Trial.END)]


class TestTwoTabs:
    def test_that_are_told_all_of_it(self):
        first, second = Tab(*STORY), Tab(*STORY)
        found = run(first, second)
        assert outcomes(found) == ["ok", "ok", "ok"]
        assert (first.sent, second.sent) == (["extend"], [])
        assert "reason idle, close codes 4401/4401" in found[Trial.END].came

    def test_that_are_told_nothing_are_one_fault(self):
        found = run(Tab(None, None), Tab(None, None))
        assert outcomes(found) == ["fault", "skipped", "skipped"]
        assert found[Trial.WARNING].came == "nothing within 3 s of its time; a request gets 'warned'"

    def test_of_which_one_is_told_the_fault_names_the_layer(self):
        found = run(Tab(*STORY), Tab(None, None), reports=[working("p1"), working("p2")])
        assert outcomes(found) == ["fault", "skipped", "skipped"]
        assert "channel layer" in found[Trial.WARNING].hint

    def test_of_which_one_misses_the_extension(self):
        found = run(Tab(*STORY), Tab(WARNED_FRAME, None, None), phase="active")
        assert outcomes(found) == ["ok", "fault", "skipped"]
        assert "channel layer" in found[Trial.EXTENSION].hint

    def test_of_which_the_sender_gets_no_answer(self):
        found = run(Tab(WARNED_FRAME, None, None), Tab(WARNED_FRAME, None, None))
        assert "not answered" in found[Trial.EXTENSION].hint

    def test_that_are_told_late_are_told(self):
        found = run(Tab(None, *STORY), Tab(None, *STORY))
        assert outcomes(found) == ["ok", "ok", "ok"]

    def test_that_are_told_of_the_end_instead(self):
        found = run(Tab(ENDED_FRAME), Tab(ENDED_FRAME))
        assert outcomes(found) == ["fault", "skipped", "skipped"]
        assert "the end instead, " in found[Trial.WARNING].came

    def test_that_are_closed_instead(self):
        found = run(Tab({"code": 1006}), Tab({"code": 1006}))
        assert outcomes(found) == ["fault", "skipped", "skipped"]
        assert "closed with 1006" in found[Trial.WARNING].came
        assert "cut off meanwhile" in found[Trial.WARNING].hint

    def test_that_miss_the_end(self):
        found = run(Tab(*STORY[:2], None, None), Tab(*STORY[:2], None, None), phase="ended")
        assert outcomes(found) == ["ok", "ok", "fault"]
        assert "a request gets 'ended'" in found[Trial.END].came

    def test_a_wait_in_one_makes_the_other_no_later(self, monkeypatch: pytest.MonkeyPatch):
        class Slow(Tab):
            def receive(self, timeout: float) -> Mapping[str, Any]:
                time.sleep(0.3)
                raise TimeoutError

        due_at = time.monotonic()
        waited = pushes.receive_all([Slow(), Tab(WARNED_FRAME)], Phase.WARNED, due_at, 1.0)  # type: ignore[list-item]
        assert waited[0].late is None
        assert (waited[1].late or 0.0) < 0.2


class TestLateness:
    def test_of_seconds_is_a_warning(self):
        assert judge_warning([IN_TIME, LATE], "", []).outcome is Outcome.WARNING
        assert judge_warning([IN_TIME, IN_TIME], "", []).outcome is Outcome.OK
        late = Push(1.5, "1500 ms after its time", ENDED)
        assert judge_end([late, late], [4401, 4401], "", []).outcome is Outcome.WARNING

    def test_is_counted_from_the_click_for_an_extension(self):
        assert judge_extension([IN_TIME, IN_TIME], "", []).came == "10 ms after the click"

    def test_is_never_negative(self):
        push = pushes.receive_push(Tab(WARNED_FRAME), Phase.WARNED, time.monotonic() + 1)  # type: ignore[arg-type]
        assert push.late == 0.0


class TestEnd:
    def test_with_another_reason_is_a_fault(self):
        found = judge_end([OVER, Push(0.01, "10 ms after its time", {"reason": "revoked"})], [4401, 4401], "", [])
        assert (found.outcome, "idle/revoked" in found.came) == (Outcome.FAULT, True)

    @pytest.mark.parametrize("codes", [[4401, 1006], [None, None]])
    def test_with_another_close_code_is_unwise(self, codes: list[int | None]):
        assert judge_end([OVER, OVER], codes, "", []).outcome is Outcome.WARNING


@pytest.mark.parametrize(
    ("reports", "cause"),
    [
        ([report("p1", None)], "No process that answers runs a timer"),
        ([working(age=None)], "process p1 has kept no round yet"),
        ([working("p1"), working("p2", age=63)], "process p2 has kept no round for 63 s"),
        ([working("p1"), working("p2", listens=False)], "Process p2 does not receive what others publish"),
        ([working()], "Nothing was pushed"),
        ([], "Nothing was pushed"),
    ],
)
def test_the_likely_cause_is_named_by_what_the_processes_report(reports: list[SelfReport], cause: str):
    assert cause in why_not_pushed([NOTHING, NOTHING], reports)


def test_a_warning_is_due_by_the_time_that_is_left():
    due_in = pushes.warn_at({"remaining": 3.5, "warn_before": 2.0}) - time.monotonic()
    assert due_in == pytest.approx(1.5, abs=0.1)
    assert pushes.warn_at({"remaining": 1.0, "warn_before": 2.0}) <= time.monotonic()
