"""The named queries over the records."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, transaction
from django.db.models import QuerySet
from msgspec.structs import replace

from idlewatch.core.activity import Reason
from idlewatch.core.clock import as_datetime
from idlewatch.managers import MAX_TRIES, _array_of, _is_conflict, among
from idlewatch.models import WatchedSession
from idlewatch.monitor import attempts, checkpoints, django_sessions, records
from idlewatch.store.values import SessionKey
from tests.conftest import START
from tests.support.watches import sign_in_many

pytestmark = pytest.mark.django_db

sessions = WatchedSession.objects


def ids(rows: object) -> list[str]:
    return [row.pk for row in rows]  # type: ignore[attr-defined]


def test_live_and_ended_divide_the_records():
    first, second = sign_in_many(2)
    records.close(first.id, Reason.LOGOUT, START)
    assert ids(sessions.live()) == [second.id]
    assert ids(sessions.ended()) == [first.id]


def test_those_of_a_user():
    (ada,) = sign_in_many(1)
    sign_in_many(1, name="bob")
    user = User.objects.get(username="ada")
    assert ids(sessions.for_user(user.pk)) == ids(sessions.for_user(str(user.pk))) == [ada.id]


@pytest.mark.parametrize(
    ("field", "values"),
    [
        pytest.param("username", ["ada", "bob", "", "null", "{}, of 2"], id="text"),
        pytest.param("username", ["ada", 'it\'s "quoted"', "back\\slash"], id="text to escape"),
        pytest.param("warnings", [0, 7], id="integers"),
        pytest.param("last_active", [as_datetime(START)], id="moments"),
        pytest.param("user_id", [Decimal(number) for number in range(50)], id="numbers that JSON has not"),
        pytest.param("username", [], id="none"),
    ],
)
def test_those_with_one_of_many_values(field: str, values: list[Any]):
    sign_in_many(2)
    sign_in_many(1, name="eve")
    found = ids(sessions.filter(among(field, values)).order_by("pk"))
    assert found == ids(sessions.filter(**{f"{field}__in": values}).order_by("pk"))
    assert bool(found) is bool(values)


def test_those_that_a_user_revoked():
    first, second, _ = sign_in_many(3)
    operator = User.objects.create_user("operator")
    records.close(first.id, Reason.REVOKED, START, operator)
    records.close(second.id, Reason.ACCOUNT, START, operator)
    assert ids(sessions.revoked_by(operator.pk)) == [first.id]


def test_those_that_ended_or_began_in_time():
    (early,), (late,) = sign_in_many(1), sign_in_many(1, at=START + 1)
    records.close(early.id, Reason.LOGOUT, START + 5)
    assert ids(sessions.closed_since(START + 5)) == [early.id]
    assert ids(sessions.closed_since(START + 5.001)) == []
    assert ids(sessions.started_until(START)) == [early.id]
    assert ids(sessions.started_until(START + 1).order_by("started")) == [early.id, late.id]


def test_those_after_an_id_in_the_order_of_ids():
    first, second, third = sorted(watched.id for watched in sign_in_many(3))
    assert ids(sessions.after("")) == [first, second, third]
    assert ids(sessions.after(first)) == [second, third]
    assert ids(sessions.after(third)) == []


def test_those_after_a_place_in_the_order_of_their_starts():
    (last,) = sign_in_many(1, at=START + 1)
    first, second = sorted(watched.id for watched in sign_in_many(2))
    assert ids(sessions.started_after(None)) == [first, second, last.id]
    assert ids(sessions.started_after((as_datetime(START), first))) == [second, last.id]
    assert ids(sessions.started_after((as_datetime(START + 1), last.id))) == []


def test_those_that_have_or_had_a_key():
    (earlier,), (later,) = sign_in_many(1), sign_in_many(1, at=START + 1)
    digests = django_sessions.digests(str(earlier.key))
    assert ids(sessions.by_key(digests)) == [earlier.id]
    sessions.filter(pk=later.id).update(previous_digest=digests[0])
    assert set(ids(sessions.by_key(digests))) == {later.id, earlier.id}


def test_each_term_is_searched_in_every_field_and_as_the_whole_id():
    first, second = sign_in_many(2)
    sessions.filter(pk=first.id).update(address="203.0.113.7", user_agent="Browser/1.0 (Linux)")
    assert ids(sessions.matching(["ADA", "linux", "203.0.113"])) == [first.id]
    assert ids(sessions.matching(["ada", "windows"])) == []
    assert ids(sessions.matching([second.id])) == [second.id]
    assert ids(sessions.matching([second.id[:-1]])) == []
    assert len(ids(sessions.matching([]))) == 2


def test_one_by_its_id():
    (watched,) = sign_in_many(1)
    assert sessions.find(watched.id) == sessions.get()
    assert sessions.find("nowhere") is None


class TestConflict:
    """Under REPEATABLE READ a database refuses to write to a row that another transaction has just written."""

    class Refusal(Exception):
        sqlstate = "40001"

    @pytest.fixture
    def refused(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """Refuse the first writes; the test appends how many."""
        left: list[int] = []
        update = QuerySet.update

        def refuse(rows: QuerySet[WatchedSession], **values: object) -> int:
            if left and left[0]:
                left[0] -= 1
                raise OperationalError from self.Refusal()
            return update(rows, **values)

        monkeypatch.setattr(QuerySet, "update", refuse)
        return left

    @pytest.mark.django_db(transaction=True)
    def test_it_is_tried_again(self, refused: list[int]):
        (watched,) = sign_in_many(1)
        refused.append(MAX_TRIES - 1)
        assert records.close(watched.id, Reason.LOGOUT, START)
        refused[:] = [MAX_TRIES]
        with pytest.raises(OperationalError):
            attempts.reset(watched.id)

    @pytest.mark.django_db(transaction=True)
    def test_so_is_a_batch_of_checkpoints(self, monkeypatch: pytest.MonkeyPatch):
        first, second = sign_in_many(2)
        write, refusals = checkpoints._write_batch, [OperationalError(1020)]

        def refuse(*args: Any, **options: Any) -> Any:
            if refusals:
                raise refusals.pop()
            return write(*args, **options)

        monkeypatch.setattr(checkpoints, "_write_batch", refuse)
        moved = [replace(each, activity=replace(each.activity, active=START + 9)) for each in (first, second)]
        checkpoints.write({each.id: checkpoints.progress_of(each, START + 9) for each in moved})
        assert sessions.filter(last_active=as_datetime(START + 9)).count() == 2

    def test_but_not_in_a_transaction_of_the_project(self, refused: list[int]):
        (watched,) = sign_in_many(1)
        refused.append(1)
        with transaction.atomic(), pytest.raises(OperationalError):
            records.close(watched.id, Reason.LOGOUT, START)

    @pytest.mark.parametrize(
        ("error", "is_conflict"),
        [
            (OperationalError(1020, "Record has changed since last read in table"), True),
            (OperationalError(1213, "Deadlock found when trying to get lock"), True),
            (OperationalError(2006, "MySQL server has gone away"), False),
            (OperationalError("database is locked"), False),
            (OperationalError({}), False),
        ],
    )
    def test_of_mariadb_is_known_by_its_number(self, error: OperationalError, is_conflict: bool):
        assert _is_conflict(error) is is_conflict


@pytest.mark.parametrize(
    ("values", "written"),
    [
        (["a", "b c", "", "null"], '{"a","b c","","null"}'),
        ([1, 2], '{"1","2"}'),
        ([], []),
        (["a", 'b"'], ["a", 'b"']),
        (["a\\"], ["a\\"]),
        (["a", None], ["a", None]),
        ([Reason.IDLE], [Reason.IDLE]),
    ],
)
def test_an_array_is_written_as_one_text_where_no_value_has_to_be_escaped(values: list[Any], written: Any):
    assert _array_of(values) == written


def test_an_array_of_session_keys_shows_none():
    written = _array_of([SessionKey("one"), SessionKey("two")])
    assert written == '{"one","two"}'
    assert "one" not in repr(written)
