"""The keys of records: how one is found, and what happens to its keys when they are rotated."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest

from idlewatch.core.activity import Reason
from idlewatch.managers import WatchedSessionQuerySet
from idlewatch.models import WatchedSession
from idlewatch.monitor import django_sessions, record_keys, records
from idlewatch.store.values import Watched
from tests.conftest import START
from tests.support.watches import row, sign_in_many

pytestmark = pytest.mark.django_db


class TestFound:
    def test_by_its_key_and_by_the_one_before(self, watched: Watched):
        assert watched.key is not None
        found = record_keys.find_by_key(watched.key)
        assert found == row(watched)
        assert not record_keys.was_rotated(found, watched.key)
        record_keys.rebind(watched.id, "new-session-key", "auth")
        for key, rotated in (("new-session-key", False), (watched.key, True)):
            found = record_keys.find_by_key(key)
            assert found == row(watched)
            assert record_keys.was_rotated(found, key) is rotated

    def test_the_latest_of_those_that_had_it(self, watched: Watched):
        (later,) = sign_in_many(1, at=START + 1)
        WatchedSession.objects.filter(pk=later.id).update(previous_digest=row(watched).session_digest)
        assert record_keys.find_by_key(str(watched.key)) == row(later)

    @pytest.mark.parametrize(("key", "count"), [("unknown-key", 1), ("short", 0), ("k" * 256, 0), ("\x00" * 8, 1)])
    def test_by_one_query_and_by_none_for_what_is_no_key(self, key: str, count: int, django_assert_num_queries: Any):
        with django_assert_num_queries(count):
            assert record_keys.find_by_key(key) is None

    def test_under_a_secret_that_was_replaced(self, watched: Watched, settings: Any):
        settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another"
        assert record_keys.find_by_key(str(watched.key)) == row(watched)
        settings.SECRET_KEY_FALLBACKS = []
        assert record_keys.find_by_key(str(watched.key)) is None

    @pytest.mark.parametrize("key", ["unknown", "", "\x00"])
    def test_never_by_another_key(self, watched: Watched, key: str):
        # A record of an engine without keys has no digest.
        WatchedSession.objects.update(previous_digest="")
        assert record_keys.find_by_key(key) is None


class TestRebound:
    def test_a_new_key_and_its_auth_hash_are_seen_together(self, watched: Watched, monkeypatch: pytest.MonkeyPatch):
        plain, seen = WatchedSessionQuerySet.update, set()

        def update(rows: WatchedSessionQuerySet, **fields: Any) -> int:
            updated = plain(rows, **fields)
            seen.add((row(watched).session_digest, row(watched).auth_digest))
            return updated

        before = row(watched).session_digest, row(watched).auth_digest
        monkeypatch.setattr(WatchedSessionQuerySet, "update", update)
        record_keys.rebind(watched.id, "new-session-key", "auth")
        assert seen - {before} == {(django_sessions.digest("new-session-key"), "auth")}

    def test_the_key_before_is_bound_again_by_the_request_alone_that_gives_it_back(self, watched: Watched):
        old, auth = str(watched.key), row(watched).auth_digest
        record_keys.rebind(watched.id, "new-session-key", auth)
        assert not record_keys.rebind(watched.id, old, auth, is_own=False)
        assert row(watched).session_digest == django_sessions.digest("new-session-key")
        assert record_keys.rebind(watched.id, old, auth)
        assert row(watched).session_digest == django_sessions.digest(old)

    @pytest.mark.parametrize("has_key", [True, False])
    def test_the_same_key_or_none_leaves_the_digest_and_the_auth_hash_follows(self, watched: Watched, has_key: bool):
        key = watched.key if has_key else None
        WatchedSession.objects.update(session_digest=django_sessions.digest(key))
        record_keys.rebind(watched.id, key, "auth")
        assert (row(watched).session_digest, row(watched).previous_digest) == (django_sessions.digest(key), "")
        assert row(watched).auth_digest == "auth"


def test_a_key_that_is_being_replaced_counts_as_the_one_before(watched: Watched):
    assert not record_keys.was_rotated(row(watched), str(watched.key))
    record_keys.expect_rotation(watched.id)
    assert record_keys.was_rotated(row(watched), str(watched.key))
    record_keys.rebind(watched.id, "new", "auth")
    assert (row(watched).session_digest, row(watched).previous_digest) == (
        django_sessions.digest("new"),
        django_sessions.digest(watched.key),
    )
    assert not record_keys.was_rotated(row(watched), "new")


def test_a_closed_record_expects_no_rotation(watched: Watched):
    records.close(watched.id, Reason.LOGOUT, START + 1)
    closed = row(watched)
    record_keys.expect_rotation(watched.id)
    assert vars(row(watched)) == vars(closed) | {"_state": mock.ANY}
