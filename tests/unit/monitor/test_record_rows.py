"""Records as rows."""

from __future__ import annotations

from unittest import mock

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from idlewatch.core.activity import Reason
from idlewatch.models import WatchedSession
from idlewatch.monitor import record_rows, records
from idlewatch.monitor.record_rows import in_parts, read_rows
from tests.conftest import START
from tests.support.watches import sign_in_many

pytestmark = pytest.mark.django_db


def test_many_records_are_read_in_parts():
    watch_ids = [watched.id for watched in sign_in_many(5)]
    with mock.patch.object(record_rows, "MAX_READ", 2), CaptureQueriesContext(connection) as asked:
        rows = in_parts(read_rows, WatchedSession.objects.all(), watch_ids)
    assert sorted(row.pk for row in rows) == sorted(watch_ids)
    assert len(asked) == 3


def test_none_are_read_where_none_are_asked_for():
    with CaptureQueriesContext(connection) as asked:
        assert in_parts(read_rows, WatchedSession.objects.all(), []) == []
    assert not asked


def test_records_that_are_left_out_are_left_out_of_each_part():
    watch_ids = [watched.id for watched in sign_in_many(4)]
    records.close(watch_ids[0], Reason.IDLE, START + 1)
    records.close(watch_ids[3], Reason.IDLE, START + 1)
    with mock.patch.object(record_rows, "MAX_READ", 2):
        rows = in_parts(read_rows, WatchedSession.objects.live(), watch_ids)
    assert {row.pk for row in rows} == set(watch_ids[1:3])
