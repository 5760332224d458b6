"""The parts in which records are resumed."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from idlewatch.core.clock import as_datetime
from idlewatch.managers import Place
from idlewatch.monitor import resumption
from tests.conftest import START
from tests.support.watches import sign_in_many

pytestmark = pytest.mark.django_db


def read(after: Place | None, last: Place | None) -> list[str]:
    with CaptureQueriesContext(connection) as asked:
        rows = resumption._read_part(resumption._encode_range((after, last)).decode())
    assert f"LIMIT {resumption.MAX_PART}" in asked.captured_queries[0]["sql"]
    return [row.pk for row in rows]


def test_a_part_is_read_with_a_limit_also_where_it_is_the_first_or_the_last():
    first, second, third = (sign_in_many(1, at=START + number)[0].id for number in range(3))
    middle = as_datetime(START + 1), second
    assert read(None, None) == [first, second, third]
    assert read(None, middle) == [first, second]
    assert read(middle, None) == [third]
