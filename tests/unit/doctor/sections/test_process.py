"""The processes that answer, by the reports that they give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from django.core import checks

from idlewatch.doctor.backends.own_store import OwnStore
from idlewatch.doctor.challenges import ahead
from idlewatch.doctor.findings import Finding, Outcome, Trial
from idlewatch.doctor.sections import process
from idlewatch.doctor.site import Options, Site
from idlewatch.ops.self_report import SelfReport, TimerReport
from tests.support.examined import IN_TIME, examined, of, outcomes, report

OK, WARNING, FAULT, SKIPPED = Outcome.OK, Outcome.WARNING, Outcome.FAULT, Outcome.SKIPPED
OF_ANSWERS = (Trial.ANSWERING, Trial.SAME_VERSIONS, Trial.SAME_SETTINGS, Trial.TIMER, Trial.PROCESS_CLOCK)


@pytest.fixture(autouse=True)
def no_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "run_checks", lambda **_: [])


def found(*reports: SelfReport, clock_ahead: float = 0.0) -> Sequence[Finding]:
    with examined(*reports, clock_ahead=clock_ahead) as site:
        return list(process.examine(site))


def test_nothing_is_wrong_with_one_process_on_the_memory_store():
    assert set(outcomes(found(report())).values()) == {OK}


def test_nothing_is_wrong_with_two_that_share_their_store():
    findings = found(report(is_store_shared=True), report("p2", is_store_shared=True))
    assert set(outcomes(findings).values()) == {OK}
    assert "2 processes: p1 (pid 11 on web, asgi), p2" in of(findings, Trial.ANSWERING).came


class TestWithoutAnAnswer:
    def test_all_is_skipped_that_asks_for_one(self):
        came = outcomes(found())
        assert {trial: came[trial] for trial in OF_ANSWERS} == dict.fromkeys(OF_ANSWERS, SKIPPED)

    def test_all_is_skipped_without_an_address(self):
        site = Site(Options())
        came = outcomes(process.examine(site))
        site.close()
        assert {trial: came[trial] for trial in OF_ANSWERS} == dict.fromkeys(OF_ANSWERS, SKIPPED)


class TestChecks:
    def test_each_is_reported_once_by_its_level(self, monkeypatch: pytest.MonkeyPatch):
        error = checks.Error("Bad; expected good.", hint="Do it.", id="idlewatch.E001")
        unwise = checks.Warning("Unwise.", id="idlewatch.W001")
        others = [checks.Info("So.", id="idlewatch.I001"), checks.Warning("Else.", id="security.W001")]
        monkeypatch.setattr(checks, "run_checks", lambda **_: [error, error, unwise, *others])
        findings = [finding for finding in found(report()) if finding.trial is Trial.CHECKS]
        assert [(each.outcome, each.came) for each in findings] == [
            (FAULT, "idlewatch.E001: Bad; expected good."),
            (WARNING, "idlewatch.W001: Unwise."),
        ]

    def test_findings_of_other_apps_are_counted(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(checks, "run_checks", lambda **_: [checks.Warning("Else.", id="security.W001")])
        assert "1 of other apps" in of(found(report()), Trial.CHECKS).came

    @pytest.mark.parametrize(("debug", "tried"), [(False, "manage.py check --deploy"), (True, "manage.py check")])
    def test_those_of_a_deployment_are_for_one(
        self, debug: bool, tried: str, monkeypatch: pytest.MonkeyPatch, settings: Any
    ):
        settings.DEBUG = debug
        found_in_deployments = checks.Warning("One.", id="idlewatch.W024")
        monkeypatch.setattr(
            checks, "run_checks", lambda include_deployment_checks: [found_in_deployments] * include_deployment_checks
        )
        finding = of(found(report()), Trial.CHECKS)
        assert (finding.tried, finding.outcome is OK) == (tried, debug)

    def test_that_the_memory_store_has_one_process_is_tried_and_not_warned_of(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(checks, "run_checks", lambda **_: [checks.Warning("One.", id="idlewatch.W034")])
        assert of(found(report()), Trial.CHECKS).outcome is OK


class TestTheMemoryStore:
    def test_has_one_process_alone(self):
        finding = of(found(report(), report("p2", pid=12)), Trial.ANSWERING)
        assert finding.outcome is FAULT
        assert "two workers on the memory store" in finding.hint

    def test_of_two_processes_is_tried_with_no_session(self):
        with examined(report(), report("p2")) as site:
            list(process.examine(site))
            assert Trial.ANSWERING in str(site.why_no_session)

    def test_belongs_to_the_process_that_answers(self):
        findings = found(report(store_owner="process 12 on web"))
        assert of(findings, Trial.ANSWERING).outcome is FAULT
        assert "process 12 on web" in of(findings, Trial.ANSWERING).came
        # The same fault is not reported twice.
        assert of(findings, Trial.TIMER).outcome is SKIPPED


class TestVersions:
    def test_of_a_server_that_was_not_restarted_are_named(self):
        former = {**report().versions, "django": "5.2.0"}
        finding = of(found(report(versions=former)), Trial.SAME_VERSIONS)
        assert finding.outcome is WARNING
        assert finding.came.startswith("django 5.2.0 in p1, ")

    def test_of_packages_that_only_one_has_differ(self):
        assert of(found(report(versions={})), Trial.SAME_VERSIONS).outcome is WARNING

    def test_of_python_differ(self):
        assert "Python 3.9.1 in p1" in of(found(report(python="3.9.1")), Trial.SAME_VERSIONS).came


class TestSettings:
    @pytest.mark.parametrize(
        ("name", "outcome"), [("DATABASES", FAULT), ("IDLEWATCH", FAULT), ("CHANNEL_LAYERS", FAULT), ("DEBUG", WARNING)]
    )
    def test_that_differ_are_named(self, name: str, outcome: Outcome):
        other = {**report().settings, name: "other"}
        finding = of(found(report(settings=other)), Trial.SAME_SETTINGS)
        assert (finding.outcome, finding.came) == (outcome, f"others: {name}")

    def test_that_all_differ_were_digested_with_another_key(self):
        finding = of(found(report(settings=dict.fromkeys(report().settings, "other"))), Trial.SAME_SETTINGS)
        assert (finding.outcome, finding.came) == (FAULT, "another SECRET_KEY")


class TestTimers:
    @pytest.mark.parametrize(
        ("timer", "outcome"),
        [
            (IN_TIME, OK),
            (TimerReport(round_age=2.9, is_listening=True), OK),
            (TimerReport(round_age=3.1, is_listening=True), WARNING),
            (TimerReport(round_age=10.1, is_listening=True), FAULT),
            (None, FAULT),
        ],
        ids=["in time", "nearly late", "late", "stuck", "dead"],
    )
    def test_keep_a_round_each_second(self, timer: TimerReport | None, outcome: Outcome, no_wait: None):
        assert of(found(report(timer=timer)), Trial.TIMER).outcome is outcome

    def test_that_have_kept_no_round_after_a_while_are_at_fault(self, no_wait: None):
        never = TimerReport(round_age=None, is_listening=True)
        finding = of(found(report(timer=never)), Trial.TIMER)
        assert (finding.outcome, finding.came) == (FAULT, "it has kept no round yet")

    def test_may_run_in_other_processes_of_a_shared_store_under_wsgi(self, alive: dict[str, float]):
        without = report(timer=None, interface="wsgi", is_store_shared=True)
        assert of(found(without), Trial.TIMER).outcome is FAULT
        alive["p2"] = 1e12
        assert of(found(without), Trial.TIMER).outcome is OK

    def test_have_to_run_in_each_process_that_serves_sockets(self, alive: dict[str, float], no_wait: None):
        alive["p2"] = 1e12
        assert of(found(report(timer=None, is_store_shared=True)), Trial.TIMER).outcome is FAULT

    def test_keep_no_round_without_their_store(self, monkeypatch: pytest.MonkeyPatch):
        """That is reported of the store."""
        monkeypatch.setattr(OwnStore, "failure", "Redis does not answer: ConnectionError.")
        stuck = report(timer=TimerReport(round_age=60.0, is_listening=True), is_store_shared=True)
        assert of(found(stuck), Trial.TIMER).outcome is SKIPPED

    @pytest.fixture
    def no_wait(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("idlewatch.doctor.site.START_TIMEOUT", 0.0)

    @pytest.fixture
    def alive(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
        leases = dict[str, float]()

        class Condition:
            living = leases

        monkeypatch.setattr(OwnStore, "condition", Condition())
        return leases


class TestClocks:
    @pytest.mark.parametrize(("there", "by"), [(7.0, 3.0), (3.5, 0.0), (4.0, 0.0), (0.0, -2.0)])
    def test_are_read_while_a_challenge_is_answered(self, there: float, by: float):
        """How long it took is no difference between them."""
        assert ahead(there, 2.0, 4.0) == by

    @pytest.mark.parametrize(("ahead", "outcome"), [(1.9, OK), (-2.1, WARNING), (30.0, WARNING)])
    def test_may_differ_a_little(self, ahead: float, outcome: Outcome):
        assert of(found(report(), clock_ahead=ahead), Trial.PROCESS_CLOCK).outcome is outcome

    def test_follow_a_shared_store(self):
        finding = of(found(report(is_store_shared=True), clock_ahead=-5.0), Trial.PROCESS_CLOCK)
        assert (finding.outcome, finding.came) == (FAULT, "p1 is 5.0 s behind")


def test_a_timer_that_begins_with_the_challenge_is_awaited(monkeypatch: pytest.MonkeyPatch):
    """Daphne starts it at the first request."""
    monkeypatch.setattr("idlewatch.doctor.site.CHALLENGE_INTERVAL", 0.0)
    never = TimerReport(round_age=None, is_listening=False)
    later: list[Any] = [report(timer=never), report("p2"), report()]
    with examined(report(timer=never)) as site:
        monkeypatch.setattr(site, "challenge", lambda: site.answered[0]._replace(report=later.pop(0)))
        assert of(process.examine(site), Trial.ANSWERING).outcome is FAULT
        assert later == []
        assert site.reports["p1"].timer == IN_TIME
