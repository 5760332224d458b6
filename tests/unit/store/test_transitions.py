"""The effect of each store operation: what the contract of the stores does not show."""

from __future__ import annotations

from hypothesis import given

from idlewatch.core.activity import Activity
from idlewatch.core.events import Acted, Requested
from idlewatch.core.policy import Policy
from idlewatch.core.reducer import applied
from idlewatch.store import transitions
from idlewatch.store.values import Watched
from tests.support.facts import any_facts, moments, policies, seconds


@given(any_facts(), policies(), moments, seconds)
def test_activity_is_credited_as_the_event_is_applied(activity: Activity, policy: Policy, now: float, ago: float):
    present = Watched(id="w1", user="7", policy=policy, activity=activity)
    assert transitions.credited(present, now - ago, now) == transitions.after(Acted(ago), present, now)


@given(any_facts(), policies(), moments)
def test_the_verdict_that_is_settled_stands(activity: Activity, policy: Policy, now: float):
    present = Watched(id="w1", user="7", policy=policy, activity=activity)
    verdict = present.verdict(now)
    assert transitions.settled(present, verdict, now).verdict(now) == verdict


@given(any_facts(), policies(), moments, seconds)
def test_a_request_is_credited_as_its_event_is_applied(activity: Activity, policy: Policy, now: float, duration: float):
    present, event = Watched(id="w1", user="7", policy=policy, activity=activity), Requested(duration)
    after = transitions.after(event, present, now)
    assert after.activity == applied(event, activity, policy, now)
    assert after.version > present.version or after is present
