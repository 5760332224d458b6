from __future__ import annotations

from hypothesis import given
from msgspec.structs import replace

from idlewatch.core.activity import Activity, Hold, Reason
from tests.support.facts import any_facts, moments, seconds, signed_in

HELD = signed_in(holds={"upload": Hold(160.0, "")}, held_from=100.0, held_until=160.0, held_since=100.0)


def test_idle_clock_runs_from_the_last_activity_where_nothing_holds() -> None:
    assert signed_in(50.0).idle_from(now=70.0, hold_limit=7200) == 50.0


def test_idle_clock_stands_still_while_held_and_runs_from_the_lapse() -> None:
    assert HELD.idle_from(now=130.0, hold_limit=7200) == 130.0
    assert HELD.idle_from(now=500.0, hold_limit=7200) == 160.0


def test_a_hold_never_counts_past_its_limit() -> None:
    assert HELD.hold_end(hold_limit=20) == 120.0
    assert HELD.idle_from(now=500.0, hold_limit=20) == 120.0
    assert HELD.held_seconds(now=500.0, hold_limit=20) == 20.0


def test_seconds_held_add_up_over_periods() -> None:
    assert signed_in().held_seconds(10.0, 7200) == 0.0
    assert replace(HELD, held_before=40.0).held_seconds(now=130.0, hold_limit=7200) == 70.0
    assert signed_in(held_before=40.0).held_seconds(now=130.0, hold_limit=7200) == 40.0


def test_tabs_count_over_all_processes() -> None:
    assert signed_in(tabs={"p1": 2, "p2": 1}).tab_count == 3


def test_the_first_end_stays() -> None:
    ended = signed_in().finished(Reason.LOGOUT, 10.0)
    assert (ended.ended, ended.reason) == (10.0, Reason.LOGOUT)
    assert ended.finished(Reason.IDLE, 20.0) is ended


@given(any_facts(), moments, seconds, seconds)
def test_idle_clock_never_runs_from_a_moment_ahead_or_backwards(
    facts: Activity, now: float, later: float, limit: float
) -> None:
    idle_from = facts.idle_from(now, limit)
    assert facts.active <= idle_from <= max(now, facts.active)
    assert idle_from <= facts.idle_from(now + later, limit)
