from __future__ import annotations

from hypothesis import given
from msgspec.structs import replace

from idlewatch.core.activity import Activity, Hold
from tests.support.facts import any_facts, moments, seconds, signed_in

HELD = signed_in(holds={"upload": Hold(160.0, "")}, held_from=100.0, held_until=160.0, held_since=100.0)


def test_idle_clock_runs_from_the_last_activity_or_the_lapse_of_what_held_it() -> None:
    assert signed_in(50.0).idle_from(now=70.0, hold_limit=7200) == 50.0
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


@given(any_facts(), moments, seconds, seconds)
def test_idle_clock_never_runs_from_a_moment_ahead_or_backwards(
    facts: Activity, now: float, later: float, limit: float
) -> None:
    idle_from = facts.idle_from(now, limit)
    assert facts.active <= idle_from <= max(now, facts.active)
    assert idle_from <= facts.idle_from(now + later, limit)
