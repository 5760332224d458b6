from __future__ import annotations

from unittest import mock

import pytest
from django.db import DatabaseError

from idlewatch.core.clock import Clock
from idlewatch.models import WatchedSession
from idlewatch.monitor import records, write_behind
from idlewatch.monitor.last_seen import LastSeen
from idlewatch.monitor.write_behind import ActivityBuffer
from idlewatch.store.values import Watched
from tests.conftest import START
from tests.support.watches import sign_in_many

pytestmark = pytest.mark.django_db


def written(watch_id: str) -> float:
    return WatchedSession.objects.get(pk=watch_id).last_active.timestamp() - START


def test_the_latest_activity_of_so_many_sessions_waits(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(write_behind, "MAX_BUFFERED", 2)
    buffer, watch_ids = ActivityBuffer(), [watched.id for watched in sign_in_many(4)]
    for after in (6, 5):
        for watch_id in watch_ids:
            buffer.add(watch_id, START + after)
    buffer.flush(LastSeen(Clock()))
    assert not buffer
    assert list(map(written, watch_ids)) == [6, 6, 0, 0]
    assert len(caplog.messages) == 1


def test_what_the_database_refuses_goes_on_waiting():
    buffer, (watched,) = ActivityBuffer(), sign_in_many(1)
    buffer.add(watched.id, START + 5)
    refused = mock.patch.object(records, "read", side_effect=DatabaseError)
    with refused, pytest.raises(DatabaseError):
        buffer.flush(LastSeen(Clock()))
    assert buffer
    buffer.flush(LastSeen(Clock()))
    assert written(watched.id) == 5


def test_one_session_that_raises_keeps_no_other_waiting(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    buffer, watch_ids = ActivityBuffer(), [watched.id for watched in sign_in_many(4)]
    credit = write_behind.credited

    def credited(watched: Watched, *args: float) -> Watched:
        if watched.id == watch_ids[1]:
            raise ValueError
        return credit(watched, *args)

    monkeypatch.setattr(write_behind, "credited", credited)
    for after in (5, 6):
        for watch_id in watch_ids:
            buffer.add(watch_id, START + after)
        buffer.flush(LastSeen(Clock()))
        assert not buffer
        assert list(map(written, watch_ids)) == [after, 0, after, after]
    assert len(caplog.messages) == 1


def test_what_came_too_late_revives_no_session():
    buffer, (watched,) = ActivityBuffer(), sign_in_many(1)
    buffer.add(watched.id, START + 100)
    buffer.flush(LastSeen(Clock()))
    assert written(watched.id) == 0


def test_many_are_written_in_parts_so_that_no_round_takes_long():
    buffer, (watched,) = ActivityBuffer(), sign_in_many(1)
    for watch_id in (*(f"w{number}" for number in range(2 * write_behind.FLUSH_LIMIT)), watched.id):
        buffer.add(watch_id, START + 5)
    for _ in range(2):
        buffer.flush(LastSeen(Clock()))
    assert buffer
    assert written(watched.id) == 0
    buffer.flush(LastSeen(Clock()))
    assert not buffer
    assert written(watched.id) == 5
