from __future__ import annotations

import pytest
from msgspec.structs import replace

from idlewatch.core.activity import Activity, Reason
from idlewatch.core.policy import Policy
from idlewatch.monitor.last_seen import NOTHING, LastSeen
from idlewatch.store.values import Watched
from tests.conftest import Time
from tests.support.facts import signed_in

SESSION = Watched(id="w1", user="7", policy=Policy(), activity=signed_in(1000.0))
HELD = replace(SESSION.activity, held_since=1010.0, held_until=1070.0)


@pytest.fixture
def seen(clock: Time) -> LastSeen:
    clock.now = 1000.0
    return LastSeen(clock.clock)


def note(seen: LastSeen, activity: Activity) -> None:
    seen.note(replace(SESSION, activity=activity))


def test_the_latest_activity_is_known_whatever_comes_later(seen: LastSeen):
    note(seen, SESSION.activity)
    note(seen, signed_in(500.0))
    assert (seen.get("w1").active, seen.get("w2")) == (1000.0, NOTHING)


def test_holds_are_known_until_they_are_released_or_there_is_activity(seen: LastSeen):
    note(seen, HELD)
    # A store that lost its data has the activity from the record, and no holds.
    note(seen, SESSION.activity)
    assert seen.get("w1", is_open=True).held_until == 1070.0
    note(seen, replace(HELD, held_until=1030.0))
    assert seen.get("w1", is_open=True).held_until == 1030.0
    note(seen, signed_in(1040.0))
    assert seen.get("w1", is_open=True).held_since is None


def test_a_hold_may_have_been_released_elsewhere_since_it_was_seen(seen: LastSeen, clock: Time):
    clock.now = 1020.0
    note(seen, HELD)
    assert (seen.get("w1").held_until, seen.get("w1", is_open=True).held_until) == (1020.0, 1070.0)


@pytest.mark.rule("R9")
def test_an_end_is_known_where_its_record_does_not_have_it_yet(seen: LastSeen):
    ended = SESSION.activity.finished(Reason.IDLE, 1900.0)
    note(seen, ended)
    # An answer that was overtaken.
    note(seen, SESSION.activity)
    assert seen.added_to(SESSION, 1901.0).activity == ended


def test_what_the_records_have_by_now_is_forgotten_but_for_sessions_with_a_tab(seen: LastSeen):
    for watch_id in ("w1", "w2"):
        seen.note(replace(SESSION, id=watch_id))
    seen.forget(1100.0, keep={"w2"})
    assert seen.watch_ids() == ["w1", "w2"]
    seen.forget(1200.0, keep={"w2"})
    assert seen.watch_ids() == ["w2"]


@pytest.mark.parametrize(
    ("activity", "version", "is_lost"),
    [
        (signed_in(900.0), 8, True),
        (signed_in(900.0), 7, False),
        (signed_in(900.0), 6, False),
        (SESSION.activity, 8, False),
        (signed_in(900.0).finished(Reason.REVOKED, 1000.0), 8, False),
    ],
    ids=["opened again", "the same", "an answer that was overtaken", "as much", "ended"],
)
def test_a_later_version_that_has_less_was_opened_again_from_its_record(
    seen: LastSeen, activity: Activity, version: int, is_lost: bool
):
    assert not seen.note(replace(SESSION, version=7))
    assert seen.note(replace(SESSION, activity=activity, version=version)) is is_lost
    assert seen.get("w1").active == 1000.0
