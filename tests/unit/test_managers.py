"""The named queries over the records."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from idlewatch.core.activity import Reason
from idlewatch.models import WatchedSession
from idlewatch.monitor import django_sessions, records
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
    assert ids(sessions.signed_in_before(START + 1)) == [early.id]


def test_those_after_an_id_in_the_order_of_ids():
    first, second, third = sorted(watched.id for watched in sign_in_many(3))
    assert ids(sessions.after("")) == [first, second, third]
    assert ids(sessions.after(first)) == [second, third]
    assert ids(sessions.after(third)) == []


def test_the_latest_that_had_a_key_comes_first():
    (earlier,), (later,) = sign_in_many(1), sign_in_many(1, at=START + 1)
    digests = django_sessions.digests(str(earlier.key))
    assert ids(sessions.by_key(digests)) == [earlier.id]
    sessions.filter(pk=later.id).update(previous_digest=digests[0])
    assert ids(sessions.by_key(digests)) == [later.id, earlier.id]


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
