"""`tests.support.keys` finds a session key wherever it leaks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels.consumer import AsyncConsumer
from channels.layers import InMemoryChannelLayer
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.backends.signed_cookies import SessionStore as SignedStore
from django.core.management.base import OutputWrapper
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse

from idlewatch.models import StoreOwner
from idlewatch.monitor import stores
from idlewatch.signals import event_log
from idlewatch.store.redis.commands import Command
from tests.support import keys
from tests.support.processes import lose_store
from tests.support.watches import keep

pytestmark = pytest.mark.rule("R23")

logger = logging.getLogger("tests.support.keys")
KEY = "0123456789abcdefghijklmnopqrstuv"


async def _sent(message: dict[str, Any]) -> None:
    """Take what a consumer sends."""


def _failing(key: str) -> None:
    try:
        int(key)
    except ValueError:
        logger.exception("failed")


def _framed(key: str) -> None:
    consumer = AsyncConsumer()
    consumer.base_send = _sent
    async_to_sync(consumer.send)({"type": "websocket.send", "text": f'{{"key":"{key}"}}'})


LEAKS: dict[str, Callable[[str], object]] = {
    "log": lambda key: logger.info("key %s", key),
    "log of idlewatch": lambda key: event_log.log_event("event", watch_id=f"x{key}y"),
    "extra": lambda key: logger.warning("a line", extra={"key": key}),
    "traceback": _failing,
    "body": lambda key: HttpResponse(f"<p>{key}</p>"),
    "json": lambda key: JsonResponse({"key": key}),
    "stream": lambda key: list(StreamingHttpResponse(iter(["a,b\n", f"{key},c\n"]))),
    "header": lambda key: HttpResponse(headers={"Location": f"/?next={key}"}),
    "command": lambda key: OutputWrapper(StringIO()).write(key),
    "frame": _framed,
    "layer": lambda key: async_to_sync(InMemoryChannelLayer().group_send)("group", {"type": "x", "key": key}),
}


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
def test_a_key_is_seen_where_it_leaks(leak: Callable[[str], object], caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, logger.name)
    with keys.looking() as found:
        found.made(KEY)
        leak("f" * 32)
        assert found.seen == []
        leak(KEY)
    assert found.seen


@pytest.mark.django_db
def test_a_key_is_seen_in_a_row_of_idlewatchs_tables():
    with keys.looking() as found:
        session = SessionStore()
        session.create()
        assert len(found.keys) == 1
        assert found.seen == []
        StoreOwner.objects.create(host=session.session_key, pid=1, process="", renewed="2026-11-23T19:00:00Z")
    assert len(found.seen) == 1


def test_a_signed_cookie_is_a_key():
    with keys.looking() as found:
        session = SignedStore()
        session["n"] = 1
        session.save()
        key = session.session_key
        HttpResponse("nothing")
        assert found.seen == []
        HttpResponse(key)
    assert len(found.seen) == 1


@pytest.mark.usefixtures("on_redis")
def test_a_key_is_seen_in_redis_but_in_the_row_of_its_session():
    with keys.looking() as found:
        found.made(KEY)
        keep("w1", key=KEY)
        lose_store()
        assert found.seen == []
        client: Any = stores.current()._client  # type: ignore[attr-defined]
        client.call(Command("HSET", [f"{client.prefix}stray"], ["key", KEY]))
        client.call(Command("SADD", [f"{client.prefix}{KEY}"], ["x"]))
        lose_store()
    assert len(found.seen) == 2


async def test_keys_of_other_threads_are_seen_too():
    with keys.looking() as found:
        found.made(KEY)
        await asyncio.to_thread(HttpResponse, KEY)
    assert found.seen
