from __future__ import annotations

import pytest
from msgspec.structs import replace

from idlewatch.core.activity import Reason
from idlewatch.monitor.outage import REPORT_GRACE, Outage
from idlewatch.process import Process
from idlewatch.store.values import Watched
from tests.conftest import START, Time
from tests.support.facts import signed_in
from tests.support.watches import POLICY

WATCHED = Watched(id="w1", user="7", policy=POLICY, activity=signed_in(START))
IDLE = START + POLICY.idle_timeout


@pytest.fixture
def outage(process: Process, clock: Time) -> Outage:
    return Outage(process.clock, lambda: START - 2 * REPORT_GRACE)


class TestDoubt:
    def test_lasts_for_the_outage_and_until_the_others_have_reported(self, outage: Outage, clock: Time):
        assert not outage.is_doubtful()
        outage.note()
        assert outage.is_doubtful()
        outage.hold_back()
        assert outage.finish()
        clock.pass_(REPORT_GRACE - 0.1)
        assert outage.is_doubtful()
        clock.pass_(0.1)
        assert not outage.is_doubtful()

    def test_keeps_undecided_sessions_until_it_is_over(self, outage: Outage, clock: Time):
        outage.hold_back()
        outage.add_undecided("w1")
        assert (outage.is_away, outage.take_decidable()) == (False, set())
        clock.pass_(REPORT_GRACE)
        assert (outage.is_away, outage.take_decidable()) == (True, {"w1"})
        assert (outage.is_away, outage.take_decidable()) == (False, set())


class TestASession:
    @pytest.mark.parametrize(
        ("after_end", "undecided"), [(-0.1, False), (0.0, True), (POLICY.checkpoint - 0.1, True), (10.0, False)]
    )
    def test_that_was_idle_for_less_than_a_checkpoint_is_undecided(
        self, outage: Outage, after_end: float, undecided: bool
    ):
        outage.note()
        assert outage.is_undecided(WATCHED, IDLE + after_end) is undecided

    @pytest.mark.parametrize(
        "watched",
        [
            replace(WATCHED, activity=WATCHED.activity.finished(Reason.IDLE, IDLE)),
            replace(WATCHED, policy=replace(POLICY, absolute_timeout=100.0)),
        ],
        ids=["recorded", "absolute"],
    )
    def test_whose_end_no_activity_can_change_is_decided(self, outage: Outage, watched: Watched):
        outage.note()
        assert not outage.is_undecided(watched, IDLE)

    @pytest.mark.parametrize(
        ("created_at", "undecided"), [(None, True), (IDLE - REPORT_GRACE + 0.1, True), (IDLE - REPORT_GRACE, False)]
    )
    def test_is_undecided_without_an_outage_in_a_new_store_alone(
        self, process: Process, created_at: float | None, undecided: bool
    ):
        assert Outage(process.clock, lambda: created_at).is_undecided(WATCHED, IDLE) is undecided
