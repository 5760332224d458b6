"""Keys, digests, and what the watch knows of Django's sessions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.utils import timezone

from idlewatch.monitor import django_sessions


def saved(**data: object) -> SessionBase:
    session = django_sessions.engine()()
    session.update(data)
    session.create()
    return session


@pytest.mark.rule("R23")
def test_a_digest_neither_shows_the_key_nor_works_without_the_secret(settings: Any):
    digest = django_sessions.digest("the key")
    assert "the key" not in digest
    assert len(digest) == 64
    assert digest != django_sessions.digest("another key")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    assert django_sessions.digest("the key") != digest
    assert django_sessions.digests("the key") == [django_sessions.digest("the key"), digest]
    for no_key in (None, ""):
        assert django_sessions.digest(no_key) == ""


def test_a_derived_watch_is_the_same_each_time_and_fits_the_record():
    watch_id = django_sessions.derived_watch("the key")
    assert watch_id == django_sessions.derived_watch("the key") != django_sessions.derived_watch("another key")
    assert len(watch_id) == 32
    assert "the key" not in watch_id


@pytest.mark.django_db
def test_a_session_knows_its_user_and_auth_hash():
    session = saved(**{SESSION_KEY: "7", HASH_SESSION_KEY: "hash"})
    assert django_sessions.user_of(session) == "7"
    assert django_sessions.user_of(saved()) is None
    assert django_sessions.auth_digest_of(session) == django_sessions.auth_digest("hash")
    assert "hash" not in django_sessions.auth_digest_of(session)
    assert django_sessions.auth_digest_of(saved()) == django_sessions.auth_digest("")


@pytest.mark.django_db
def test_keys_stand_for_sessions_where_a_server_keeps_them(engine: str):
    keeps_keys = engine != "signed_cookies"
    kept, gone = saved(), str(saved().session_key)
    assert django_sessions.keeps_keys() is keeps_keys
    assert django_sessions.key_of(kept) == (kept.session_key if keeps_keys else None)
    if keeps_keys:
        django_sessions.delete([gone, "never"])
        assert django_sessions.standing([str(kept.session_key), gone, "never"]) == {kept.session_key}
        assert django_sessions.standing([]) == set()


@pytest.mark.django_db
def test_the_database_is_asked_once_for_all_and_an_expired_row_does_not_stand(django_assert_num_queries: Any):
    *kept, expired = [str(saved().session_key) for _ in range(3)]
    Session.objects.filter(pk=expired).update(expire_date=timezone.now() - timedelta(seconds=1))
    with django_assert_num_queries(1):
        assert django_sessions.standing(iter([*kept, expired])) == set(kept)
