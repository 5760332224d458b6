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
    return Outage(process.clock)


class TestDoubt:
    def test_lasts_for_the_outage_and_until_the_others_have_reported(self, outage: Outage, clock: Time):
        assert not outage.is_doubtful()
        outage.note()
        assert outage.is_doubtful()
        outage.doubt()
        assert outage.finish()
        clock.pass_(REPORT_GRACE - 0.1)
        assert outage.is_doubtful()
        clock.pass_(0.1)
        assert not outage.is_doubtful()

    def test_lasts_as_long_as_the_store_holds_back_what_the_clock_ends(self, outage: Outage, clock: Time):
        outage.note_settle_after(float("inf"))
        clock.pass_(1000)
        assert outage.is_doubtful()
        outage.note_settle_after(clock.now)
        assert not outage.is_doubtful()


class TestReturn:
    def test_lets_through_what_the_store_does_not_miss(self, outage: Outage):
        outage.note_missed("w1")
        outage.note_back(outage.failures)
        assert (outage.must_wait("w1"), outage.must_wait("w2")) == (True, False)
        assert outage.take_missed(9) == ["w1"]
        assert not outage.must_wait("w1")
        assert outage.finish()

    def test_is_none_where_the_store_has_failed_meanwhile(self, outage: Outage):
        outage.note()
        failures = outage.failures
        outage.note()
        outage.note_back(failures)
        assert outage.must_wait("w1")

    def test_is_not_over_while_anything_waits(self, outage: Outage):
        outage.note_missed("w1")
        outage.note_back(outage.failures)
        assert not outage.finish()
        outage.take_missed(9)
        outage.buffer.add("w2", START)
        assert not outage.finish()


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


class TestSeen:
    def test_is_forgotten_where_no_timer_runs_as_well(self, outage: Outage, clock: Time):
        outage.note_seen(None)
        for clock.now in range(int(START), int(START) + 4000, 100):
            outage.note_seen(replace(WATCHED, id=f"w{clock.now}"))
        assert 0 < len(outage.seen.watch_ids()) < 5
