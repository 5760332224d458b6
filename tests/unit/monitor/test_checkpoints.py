"""Checkpoints: the progress of sessions in their records, which never goes back."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from msgspec.structs import replace

from idlewatch.core.activity import Hold, Reason
from idlewatch.core.clock import as_datetime
from idlewatch.models import WatchedSession
from idlewatch.monitor import checkpoints, records
from idlewatch.store.values import Watched
from tests.conftest import START
from tests.support.watches import checkpoint, row, sign_in_many

pytestmark = pytest.mark.django_db


def active_at(watched: Watched, moment: float) -> Watched:
    return replace(watched, activity=replace(watched.activity, active=moment))


class TestCheckpoint:
    def test_a_hold_counts_as_far_as_it_came(self, watched: Watched):
        hold = {"id": Hold(until=START + 60, label="")}
        checkpoint(watched, START + 40, holds=hold, held_from=START, held_until=START + 60, held_since=START)
        kept = row(watched)
        assert (kept.last_active, kept.held_seconds) == (as_datetime(START + 40), 40)

    def test_what_did_not_change_is_not_written(self, watched: Watched, django_assert_num_queries: Any):
        rows = [row(watched)]
        with django_assert_num_queries(0):
            checkpoints.checkpoint(rows, {watched.id: watched}, START + 10)

    def test_one_record_that_was_advanced_keeps_no_other_from_being_written(self, watched: Watched):
        (other,) = sign_in_many(1)
        checkpoints.advance(replace(watched, activity=replace(watched.activity, active=START + 30)), START + 30)
        later = replace(other, activity=replace(other.activity, active=START + 10))
        checkpoints.checkpoint([row(watched), row(other)], {watched.id: watched, other.id: later}, START + 30)
        moments = (START + 30, START + 10)
        assert (row(watched).last_active, row(other).last_active) == tuple(map(as_datetime, moments))


class TestOldFacts:
    """What a process writes that was stopped after it had read them: others wrote meanwhile."""

    @pytest.fixture
    def old_row(self, watched: Watched) -> WatchedSession:
        """The record as that process read it."""
        old = row(watched)
        checkpoint(watched, START + 30, active=START + 30, warnings=2, extensions=3, held_before=4.0)
        return old

    @pytest.mark.parametrize("write", ["checkpoint", "checkpoint of many", "advance"])
    def test_move_no_record_back(self, watched: Watched, old_row: WatchedSession, write: str):
        before = row(watched)
        stale = replace(watched, activity=replace(watched.activity, active=START + 5, warnings=1))
        (other,) = sign_in_many(1)
        if write == "advance":
            checkpoints.advance(stale, START + 5)
        else:
            rows = [old_row, row(other)] if write.endswith("many") else [old_row]
            checkpoints.checkpoint(rows, {watched.id: stale, other.id: active_at(other, START + 5)}, START + 5)
        after = row(watched)
        for field in (*checkpoints.LATEST, *checkpoints.COUNTERS):
            assert getattr(after, field) == getattr(before, field)
        assert (row(other).last_active == as_datetime(START + 5)) == write.endswith("many")

    def test_of_the_same_moment_take_no_count_back(self, watched: Watched, old_row: WatchedSession):
        checkpoints.advance(active_at(watched, START + 30), START + 30)
        kept = row(watched)
        assert (kept.warnings, kept.extensions, kept.held_seconds) == (2, 3, 4.0)


@pytest.mark.parametrize("write", ["checkpoint", "advance"])
def test_a_closed_record_stays_as_it_is(watched: Watched, write: str):
    rows = [row(watched)]
    records.close(watched.id, Reason.LOGOUT, START + 1)
    closed, later = row(watched), active_at(watched, START + 5)
    if write == "checkpoint":
        checkpoints.checkpoint(rows, {watched.id: later}, START + 10)
    else:
        checkpoints.advance(later, START + 10)
    assert vars(row(watched)) == vars(closed) | {"_state": mock.ANY}


class TestAdvanced:
    """While the store is away the records go on by themselves."""

    def advance(self, watched: Watched, to: float) -> None:
        checkpoints.advance(replace(watched, activity=replace(watched.activity, active=to)), to)

    def test_it_notes_how_far_a_watch_came_and_never_less(self, watched: Watched):
        for moment in (30, 20):
            self.advance(watched, START + moment)
            assert row(watched).last_active == as_datetime(START + 30)
            assert records.watched_of(row(watched), START + 30).activity.active == START + 30

    def test_a_checkpoint_of_what_the_store_knew_does_not_take_it_back(self, watched: Watched):
        self.advance(watched, START + 30)
        checkpoint(watched, START + 40, active=START + 5, warnings=1)
        assert (row(watched).last_active, row(watched).warnings) == (as_datetime(START + 30), 0)
        checkpoint(watched, START + 50, active=START + 31)
        assert row(watched).last_active == as_datetime(START + 31)
