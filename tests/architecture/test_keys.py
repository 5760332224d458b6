"""`tests.support.keys` finds a session key wherever it leaks."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from importlib import import_module
from io import StringIO
from pkgutil import walk_packages
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import pytest
from asgiref.sync import async_to_sync
from channels.consumer import AsyncConsumer
from channels.layers import InMemoryChannelLayer
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.backends.signed_cookies import SessionStore as SignedStore
from django.core.management.base import OutputWrapper
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse

import idlewatch
from idlewatch.models import StoreOwner
from idlewatch.monitor import stores
from idlewatch.signals import event_log
from idlewatch.store.redis.commands import Command
from idlewatch.store.values import Listing, SessionKey, Watched
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


def _variable(key: str) -> None:
    """Fail in a function of the package, so that a report of the error would show its variables."""
    scope: dict[str, Any] = {"__name__": "idlewatch.here"}
    exec("def fail(key): raise ValueError", scope)
    try:
        scope["fail"](key)
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
    "variable": _variable,
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


HARMLESS = frozenset(
    """
    action address arguments auth_digest browser content cursor detail device excluded field fields form
    frame hold host id impersonator kind label language last_active_text limit login_url methods module name names
    notice operator owner package page part path pk prefix process reason rotated scheme search sharer source system
    terms text user user_agent username value watch_id watch_ids watches
    """.split()  # noqa: SIM905 - a list would take a line for each
)
"""Names of fields of strings that are no session keys, for certain. Others are to be hidden, or to be added here."""


def classes() -> Iterator[type]:
    """Yield every class of the package whose instances show their fields."""
    for module in walk_packages(idlewatch.__path__, "idlewatch."):
        for each in vars(import_module(module.name)).values():
            if isinstance(each, type) and each.__module__ == module.name and fields_of(each):
                yield each


def fields_of(each: type) -> Sequence[str]:
    if dataclasses.is_dataclass(each):
        return [field.name for field in dataclasses.fields(each)]
    return getattr(each, "_fields", None) or getattr(each, "__struct_fields__", ())


def filled(each: type) -> Any:
    """Return an instance that has a key in every field that may hold one."""
    hints = get_type_hints(each, include_extras=True)
    values = {name: value_for(name, hints[name]) for name in fields_of(each)}
    unchecked = each if issubclass(each, tuple) else type(each)(each.__name__, (each,), {"__post_init__": id})
    return unchecked(**values)


def value_for(name: str, hint: Any) -> Any:
    """Return what an annotation allows: a key, an instance with one, or a collection of these."""
    origin, arguments = get_origin(hint), get_args(hint)
    if isinstance(hint, type) and fields_of(hint):
        return filled(hint)
    if hint in {Any, object, str, bytes, SessionKey}:
        return "harmless" if name in HARMLESS else KEY
    if origin is Annotated:
        return value_for(name, arguments[0])
    if origin in {Union, UnionType}:
        return next((value for each in arguments if has_key(value := value_for(name, each))), None)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"x": value_for(name, arguments[1])}
    if isinstance(origin, type) and issubclass(origin, Collection):
        return [value_for(name, arguments[0])]
    return None


def has_key(value: Any) -> bool:
    return value == KEY or (isinstance(value, Collection) and KEY in value) or bool(fields_of(type(value)))


def test_no_class_of_the_package_shows_a_key():
    """It would get into logs, assertions, error pages, and reports of errors that show variables."""
    instances = {each: filled(each) for each in classes()}
    assert instances.keys() >= {Command, Watched, Listing}
    assert {each: str(it) for each, it in instances.items() if KEY in repr([it]) + str(it)} == {}
