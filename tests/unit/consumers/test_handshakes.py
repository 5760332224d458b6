"""Handshakes that come together, and what each of them gets alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.http import HttpRequest
from django.test import RequestFactory

from idlewatch.consumers import handshakes
from idlewatch.consumers.handshakes import authenticate, find_sessions
from idlewatch.core.activity import Reason
from idlewatch.models import WatchedSession
from idlewatch.monitor import service as monitor
from idlewatch.process import now
from tests.support.processes import lose_store
from tests.support.sockets import Signed, sign_in

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = ("ada", "bob", "cid")


@pytest.fixture
async def several() -> list[Signed]:
    return [await sign_in(name) for name in NAMES]


def handshake(key: str) -> HttpRequest:
    return RequestFactory().get("/", headers={"Cookie": f"sessionid={key}"})


async def found(keys: Iterable[str]) -> list[Any]:
    """Return what handshakes that come together get: a watch id, a reason, an error."""
    results = await asyncio.gather(*(authenticate(handshake(key)) for key in keys), return_exceptions=True)
    return [
        result if isinstance(result, BaseException) else result[0].id if result[0] is not None else result[1]
        for result in results
    ]


async def test_they_are_read_together_and_each_gets_its_own(several: list[Signed], monkeypatch: pytest.MonkeyPatch):
    read = mock.Mock(wraps=find_sessions)
    monkeypatch.setattr(handshakes, "find_sessions", read)
    await monitor.aend(several[1].watch_id, Reason.REVOKED, now())
    await Session.objects.filter(pk=several[1].key).adelete()
    keys = [several[0].key, several[1].key, several[2].key, "unknown" * 5, several[0].key]
    assert await found(keys) == [several[0].watch_id, "revoked", several[2].watch_id, None, several[0].watch_id]
    assert read.call_count == 1


async def test_what_a_database_may_refuse_is_read_by_itself(several: list[Signed], monkeypatch: pytest.MonkeyPatch):
    # PostgreSQL takes no NUL, and a cookie can have one: anyone could keep handshakes from being read together.
    read = mock.Mock(wraps=find_sessions)
    monkeypatch.setattr(handshakes, "find_sessions", read)
    keys = [signed.key for signed in several]
    assert await found([r'"\000\000\000\000\000\000\000\000"', *keys]) == [
        None,
        *(signed.watch_id for signed in several),
    ]
    read.assert_called_once_with(set(keys))


async def test_an_error_concerns_the_one_that_it_is_about(several: list[Signed], monkeypatch: pytest.MonkeyPatch):
    decode = db.SessionStore.decode
    bad = await Session.objects.aget(pk=several[1].key)

    def decoding(self: db.SessionStore, data: str) -> dict[str, Any]:
        if data == bad.session_data:
            raise ZeroDivisionError
        return decode(self, data)

    monkeypatch.setattr(db.SessionStore, "decode", decoding)
    first, second, third = await found(signed.key for signed in several)
    assert (first, third) == (several[0].watch_id, several[2].watch_id)
    assert isinstance(second, ZeroDivisionError)


async def test_a_database_that_is_away_is_away_for_all(several: list[Signed], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(db.SessionStore, "get_model_class", mock.Mock(side_effect=OperationalError))
    assert {type(error) for error in await found(signed.key for signed in several)} == {OperationalError}


class TestQueries:
    """As long as nothing has to be written, they need as many for all as for one."""

    @pytest.fixture
    def reading(self, django_assert_num_queries: Any) -> Callable[[int, set[str]], Any]:
        @sync_to_async
        def read(queries: int, keys: set[str]) -> dict[str, str]:
            with django_assert_num_queries(queries):
                return {key: watched.id for key, watched in find_sessions(keys).items()}

        return read

    async def test_sessions_that_the_store_has_need_one(self, several: list[Signed], reading: Any):
        expected = {signed.key: signed.watch_id for signed in several}
        assert await reading(1, set(expected)) == expected

    async def test_after_a_restart_their_records_need_another_and_the_store_has_their_keys_again(
        self, several: list[Signed], reading: Any
    ):
        expected = {signed.key: signed.watch_id for signed in several}
        lose_store()
        assert await reading(2, set(expected)) == expected
        assert [signed.watched.key for signed in several] == list(expected)
        assert await reading(1, set(expected)) == expected

    async def test_one_whose_record_has_another_key_or_password_or_has_ended_is_left_out(
        self, several: list[Signed], reading: Any
    ):
        lose_store()
        fields: list[dict[str, Any]] = [{"session_digest": "other"}, {"auth_digest": "other"}]
        for signed, change in zip(several, fields, strict=False):
            await WatchedSession.objects.filter(pk=signed.watch_id).aupdate(**change)
        await monitor.aend(several[2].watch_id, Reason.REVOKED, now())
        lose_store()
        assert await reading(2, {signed.key for signed in several}) == {}
