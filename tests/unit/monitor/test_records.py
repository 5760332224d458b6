"""Records of sessions: what the database keeps, and resuming a session in a store from it."""

from __future__ import annotations

from unittest import mock

import pytest
from django.contrib.auth.models import User
from msgspec.structs import replace

from idlewatch.core.activity import Activity, Reason
from idlewatch.core.clock import as_datetime
from idlewatch.core.policy import Phase
from idlewatch.monitor import checkpoints, records, resumption
from idlewatch.store.values import Watched
from tests.conftest import START
from tests.support.watches import POLICY, checkpoint, row, sign_in_many

pytestmark = pytest.mark.django_db


class TestResumed:
    def test_a_record_gives_back_what_a_store_needs_with_how_far_it_came(self, watched: Watched):
        resumed = records.watched_of(row(watched), START)
        assert (resumed.id, resumed.user, resumed.policy) == (watched.id, watched.user, POLICY)
        assert resumed.activity == Activity(logged_in_at=START, active=START)
        assert resumed.key is None
        checkpoint(watched, START + 60.25, active=START + 50.25, warnings=2, extensions=1, held_before=4.5)
        activity = records.watched_of(row(watched), START + 70).activity
        assert (activity.active, activity.warnings, activity.extensions) == (START + 50.25, 2, 1)
        assert activity.held_before == 4.5

    def test_what_has_ended_stays_ended(self, watched: Watched):
        records.close(watched.id, Reason.IDLE, START + 100)
        resumed = records.watched_of(row(watched), START)
        verdict = resumed.verdict(START)
        assert (verdict.phase, verdict.reason, verdict.ends_at) == (Phase.ENDED, Reason.IDLE, START + 100)
        assert resumed.shown == verdict.shown

    def test_the_user_is_empty_once_the_account_is_gone(self, watched: Watched):
        User.objects.all().delete()
        assert records.watched_of(row(watched), START).user == ""
        assert row(watched).username == "ada"


class TestClosed:
    def test_of_all_who_close_it_one_is_told(self, watched: Watched):
        assert records.close(watched.id, Reason.IDLE, START + 1)
        assert not records.close(watched.id, Reason.REVOKED, START + 2)
        assert (row(watched).reason, row(watched).ended) == ("idle", as_datetime(START + 1))
        assert not records.close("nowhere", Reason.IDLE, START)

    def test_it_notes_how_far_it_came_and_who_ended_it_also_when_their_account_goes(self, watched: Watched):
        operator = User.objects.create_user("operator")
        last = replace(watched, activity=replace(watched.activity, active=START + 30, warnings=1))
        records.close(watched.id, Reason.REVOKED, START + 40, operator, last)
        kept = row(watched)
        assert (kept.ended_by, kept.last_active, kept.warnings) == (operator, as_datetime(START + 30), 1)
        operator.delete()
        assert (row(watched).ended_by, row(watched).ended_by_name) == (None, "operator")

    def test_the_reason_that_came_first_takes_the_place_of_the_other(self, watched: Watched):
        records.close(watched.id, Reason.REVOKED, START + 40, User.objects.create_user("operator"))
        records.correct(watched.id, Reason.LOGOUT, START + 39)
        kept = row(watched)
        assert (kept.reason, kept.ended, kept.ended_by) == ("logout", as_datetime(START + 39), None)
        assert kept.ended_by_name == ""


class TestRestarted:
    def test_its_clocks_restart(self, watched: Watched):
        again = Activity(logged_in_at=START + 10, active=START + 10)
        records.restart(replace(watched, activity=again, policy=replace(POLICY, idle_timeout=50)), START + 10)
        kept = row(watched)
        assert (kept.signed_in, kept.last_active) == (as_datetime(START + 10),) * 2
        assert (kept.started, kept.limits["idle_timeout"]) == (as_datetime(START), 50)
        assert records.watched_of(kept, START + 10).activity == again


class TestOldFacts:
    """What a process writes that was stopped after it had read them: others wrote meanwhile."""

    @pytest.mark.parametrize("write", ["close", "restart"])
    def test_move_no_record_back(self, watched: Watched, write: str):
        checkpoint(watched, START + 30, active=START + 30, warnings=2, extensions=3, held_before=4.0)
        before = row(watched)
        stale = replace(watched, activity=replace(watched.activity, active=START + 5, warnings=1))
        if write == "close":
            assert records.close(watched.id, Reason.IDLE, START + 100, last=stale)
        else:
            records.restart(stale, START + 5)
        after = row(watched)
        for field in (*checkpoints.LATEST, *checkpoints.COUNTERS):
            assert getattr(after, field) == getattr(before, field)
        assert (after.ended is not None) == (write == "close")

    def test_of_an_earlier_sign_in_leave_the_limits_of_the_later_one(self, watched: Watched):
        for moment, idle_timeout in ((20, 50), (10, 500)):
            again = Activity(logged_in_at=START + moment, active=START + moment)
            limits = replace(POLICY, idle_timeout=idle_timeout)
            records.restart(replace(watched, activity=again, policy=limits), START + moment)
        kept = row(watched)
        assert (kept.signed_in, kept.limits["idle_timeout"]) == (as_datetime(START + 20), 50)
        assert kept.facts["logged_in_at"] == START + 20


def test_a_closed_record_is_not_restarted(watched: Watched):
    records.close(watched.id, Reason.LOGOUT, START + 1)
    closed = row(watched)
    records.restart(replace(watched, activity=replace(watched.activity, active=START + 5)), START + 10)
    assert vars(row(watched)) == vars(closed) | {"_state": mock.ANY}


@pytest.mark.rule("R23")
def test_no_record_holds_a_key(watched: Watched):
    kept = row(watched)
    assert str(watched.key) not in " ".join(str(value) for name, value in vars(kept).items() if name != "id")
    assert str(watched.key) not in f"{kept!r} {kept}"


def test_what_an_operator_ended_is_told_from_what_another_request_of_theirs_did(watched: Watched):
    operator = User.objects.create_user("op")
    records.close(watched.id, Reason.REVOKED, START + 5.25, by=operator)
    assert records.revoked_by(operator.pk, {watched.id: START + 5.25}) == {watched.id}
    assert records.revoked_by(operator.pk, {watched.id: START + 6}) == set()


def test_all_that_ended_since_a_moment_are_read_in_batches(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(records, "BATCH_SIZE", 2)
    watch_ids = sorted(watched.id for watched in sign_in_many(5))
    for watch_id in watch_ids:
        records.close(watch_id, Reason.LOGOUT, START + 5)
    assert [row.pk for row in resumption.closed_since(START + 5)] == watch_ids
    assert resumption.closed_since(START + 6) == []
