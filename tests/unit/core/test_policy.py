from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from idlewatch.core.activity import Activity, Hold, Reason
from idlewatch.core.policy import (
    UNWARNED,
    Phase,
    Policy,
    Shown,
    assess,
    closes_at,
    ends_at,
    fitted,
    stricter,
    warned_from,
)
from tests.support.facts import POLICY, any_facts, moments, policies, seconds, signed_in

HELD = signed_in(holds={"upload": Hold(160.0, "")}, held_from=100.0, held_until=160.0, held_since=100.0)


@pytest.mark.rule("R1")
@pytest.mark.parametrize(
    ("now", "phase", "reason", "remaining"),
    [
        (0.0, Phase.ACTIVE, None, 900.0),
        (779.75, Phase.ACTIVE, None, 120.25),
        (780.0, Phase.WARNED, Reason.IDLE, 120.0),
        (899.75, Phase.WARNED, Reason.IDLE, 0.25),
        (900.0, Phase.ENDED, Reason.IDLE, 0.0),
        (1e9, Phase.ENDED, Reason.IDLE, 0.0),
    ],
)
def test_without_activity_a_session_is_warned_and_ends(
    now: float, phase: Phase, reason: Reason | None, remaining: float
) -> None:
    verdict = assess(signed_in(), POLICY, now)
    assert (verdict.phase, verdict.reason, verdict.remaining) == (phase, reason, remaining)
    assert verdict.ends_at == 900.0


@pytest.mark.rule("R2")
@pytest.mark.parametrize(
    ("now", "shown"),
    [
        (43079.75, UNWARNED),
        (43080.0, (Phase.WARNED, Reason.ABSOLUTE, False)),
        (43200.0, (Phase.ENDED, Reason.ABSOLUTE, False)),
    ],
)
def test_absolute_limit_warns_and_ends_whatever_the_activity(now: float, shown: Shown) -> None:
    assert assess(Activity(logged_in_at=0.0, active=now), POLICY, now).shown == shown
    unlimited = replace(POLICY, absolute_timeout=None)
    assert assess(Activity(logged_in_at=0.0, active=now), unlimited, now).shown == UNWARNED


@pytest.mark.rule("R2")
def test_a_hold_does_not_move_the_absolute_limit() -> None:
    held = replace(HELD, logged_in_at=-43090.0)
    assert assess(held, POLICY, 109.75).shown == (Phase.WARNED, Reason.ABSOLUTE, False)
    assert assess(held, POLICY, 110.0).shown == (Phase.ENDED, Reason.ABSOLUTE, False)
    assert assess(replace(HELD, logged_in_at=-42500.0), POLICY, 110.0).remaining == 590.0


@pytest.mark.parametrize(
    ("logged_in_at", "reason", "extendable"),
    [(-42299.0, Reason.IDLE, True), (-42300.0, Reason.ABSOLUTE, False), (-42301.0, Reason.ABSOLUTE, False)],
)
def test_the_earlier_of_two_near_limits_is_the_reason(logged_in_at: float, reason: Reason, extendable: bool) -> None:
    verdict = assess(Activity(logged_in_at=logged_in_at, active=0.0), POLICY, 800.0)
    assert verdict.shown == (Phase.WARNED, reason, extendable)
    assert assess(Activity(logged_in_at=logged_in_at, active=0.0), POLICY, 900.0).reason is reason


def test_a_closed_browser_ends_the_session_without_a_warning_where_there_is_a_grace() -> None:
    closed = signed_in(closed_at=100.0)
    assert assess(closed, POLICY, 399.75).shown == UNWARNED
    assert assess(closed, POLICY, 399.75).next_at == 400.0
    assert assess(closed, POLICY, 400.0).shown == (Phase.ENDED, Reason.CLOSED, False)
    without = replace(POLICY, close_grace=None)
    assert closes_at(closed, without) == math.inf
    assert assess(closed, without, 500.0).shown == UNWARNED


def test_while_held_the_full_idle_limit_remains() -> None:
    assert assess(HELD, POLICY, 155.0).remaining == 900.0
    assert assess(HELD, POLICY, 155.0).held
    lapsed = assess(HELD, POLICY, 160.0)
    assert (lapsed.remaining, lapsed.held) == (900.0, False)
    assert assess(HELD, POLICY, 161.0).remaining == 899.0


def test_an_end_has_its_own_moment_and_reason_or_is_that_of_a_lost_session() -> None:
    verdict = assess(signed_in(ended=10.0, reason=Reason.REVOKED), POLICY, 11.0)
    assert verdict.shown == (Phase.ENDED, Reason.REVOKED, False)
    assert (verdict.ends_at, verdict.remaining, verdict.held, verdict.next_at) == (10.0, 0.0, False, None)
    assert assess(signed_in(ended=10.0), POLICY, 11.0).reason is Reason.LOST


def test_the_verdict_is_warned_from_the_start_of_the_warning() -> None:
    assert warned_from(signed_in(), POLICY) == 780.0
    assert warned_from(HELD, POLICY) == 940.0


@given(any_facts(), policies(), moments)
def test_whatever_the_facts_there_is_one_verdict(facts: Activity, policy: Policy, now: float) -> None:
    verdict = assess(facts, policy, now)
    assert math.isfinite(verdict.remaining)
    assert verdict.remaining >= 0
    assert math.isfinite(verdict.ends_at)
    assert verdict.ends_at == ends_at(facts, policy)
    if verdict.phase is Phase.ACTIVE:
        assert verdict.shown == UNWARNED
    if verdict.phase is Phase.WARNED:
        assert verdict.reason in {Reason.IDLE, Reason.ABSOLUTE}
        assert verdict.extendable is (verdict.reason is Reason.IDLE)
    if verdict.phase is Phase.ENDED:
        assert verdict.reason is not None
        assert (verdict.remaining, verdict.extendable, verdict.held) == (0.0, False, False)
    else:
        assert now < verdict.ends_at
    assert (verdict.next_at is None) is (verdict.phase is Phase.ENDED)


@given(any_facts(), policies(), moments, st.lists(st.floats(0, 1, exclude_max=True), max_size=5))
def test_what_is_shown_changes_first_at_the_next_moment(
    facts: Activity, policy: Policy, now: float, parts: list[float]
) -> None:
    verdict = assess(facts, policy, now)
    if verdict.next_at is None:
        assert all(assess(facts, policy, now + part * 10_000).shown == verdict.shown for part in parts)
        return
    assert verdict.next_at > now
    between = [now + part * (verdict.next_at - now) for part in parts]
    for moment in [*between, math.nextafter(verdict.next_at, now)]:
        # Rounding may lift a part onto the moment itself.
        if moment < verdict.next_at:
            assert assess(facts, policy, moment).shown == verdict.shown
    assert assess(facts, policy, verdict.next_at).shown != verdict.shown


@pytest.mark.rule("R1")
@given(any_facts(), policies(), moments, seconds)
def test_once_ended_a_session_stays_so_for_the_same_reason(
    facts: Activity, policy: Policy, now: float, later: float
) -> None:
    first = assess(facts, policy, now)
    if first.phase is Phase.ENDED:
        assert assess(facts, policy, now + later) == first


@given(any_facts(), policies(), moments, seconds)
def test_later_activity_never_ends_a_session_sooner(facts: Activity, policy: Policy, now: float, later: float) -> None:
    before = assess(facts, policy, now)
    acted_later = assess(replace(facts, active=facts.active + later), policy, now)
    assert acted_later.ends_at >= before.ends_at
    assert acted_later.remaining >= before.remaining
    order = [Phase.ACTIVE, Phase.WARNED, Phase.ENDED]
    assert order.index(acted_later.phase) <= order.index(before.phase)


@given(any_facts(), policies(), moments, seconds)
def test_what_remains_never_grows_by_itself(facts: Activity, policy: Policy, now: float, later: float) -> None:
    assert assess(facts, policy, now + later).remaining <= assess(facts, policy, now).remaining


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        pytest.param({}, {}, id="limits that work together stay"),
        pytest.param({"idle_timeout": 300}, {"checkpoint": 30}, id="a record is at most a tenth of the limit old"),
        pytest.param(
            {"idle_timeout": 60, "warn_before": 120},
            {"warn_before": 30, "heartbeat": 15, "checkpoint": 6},
            id="a session is not warned from its start",
        ),
        pytest.param(
            {"idle_timeout": 20, "warn_before": 10, "heartbeat": 15},
            {"heartbeat": 5, "checkpoint": 2},
            id="pages report before the warning comes",
        ),
    ],
)
def test_limits_are_made_to_fit_each_other(limits: dict[str, float], expected: dict[str, float]) -> None:
    assert fitted(Policy(**limits)) == replace(Policy(**limits), **expected)


@given(policies(), policies())
def test_the_stricter_of_two_policies_ends_no_later_than_either(first: Policy, second: Policy) -> None:
    both, activity = stricter(first, second), signed_in()
    assert both == stricter(second, first)
    assert assess(activity, both, 0.0).ends_at == min(assess(activity, each, 0.0).ends_at for each in (first, second))
    assert both.hold_limit == min(first.hold_limit, second.hold_limit)
    assert both.activity_extends_warning == (first.activity_extends_warning and second.activity_extends_warning)


@given(any_facts(), policies(), moments)
def test_holds_that_lapsed_before_the_last_activity_make_no_difference(
    activity: Activity, policy: Policy, now: float
) -> None:
    unheld = replace(activity, held_since=None, closed_at=None)
    assert assess(unheld, policy, now) == assess(replace(unheld, held_since=0.0, held_until=0.0), policy, now)
