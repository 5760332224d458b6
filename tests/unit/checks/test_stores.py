from __future__ import annotations

import sys

import pytest
from django.core.checks import ERROR, WARNING

from idlewatch.conf.settings import SETTINGS
from idlewatch.store.memory import MemoryStore


class OwnStore(MemoryStore):
    """A project's own."""


class OwnList(list):
    """A class that is no store."""


def own(*_: object) -> None:
    """Be no class."""


@pytest.mark.parametrize(
    "path",
    [
        "nowhere.Store",
        "idlewatch.store.memory.store.Nothing",
        "idlewatch.store.base.Store",
        f"{__name__}.own",
        f"{__name__}.OwnList",
    ],
)
def test_backend_that_is_no_store_is_an_error(found, path):
    ((identifier, message),) = found(IDLEWATCH={"STORE": {"BACKEND": path}}).items()
    assert (identifier, message.level, message.hint) == ("E020", ERROR, SETTINGS["STORE"].hint)
    assert f"IDLEWATCH['STORE']['BACKEND'] is {path!r}" in message.msg


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"LOCATION": "http://:hunter2@127.0.0.1/0"}, "LOCATION is no URL"),
        ({"LOCATION": "127.0.0.1:6379"}, "LOCATION is no URL"),
        ({"LOCATION": "redis://:hunter2@127.0.0.1:port/0"}, "LOCATION is no URL"),
        ({"OPTIONS": {"PREFIX": "idlewatch:", "password": "hunter2"}}, "PREFIX is 'idlewatch:'"),
        ({"OPTIONS": {"PREFIX": "{}:"}}, "PREFIX is '{}:'"),
        ({"OPTIONS": {"PREFIX": None}}, "PREFIX is None"),
        ({"OPTIONS": {"sockettimeout": 1, "password": "hunter2"}}, "'sockettimeout'"),
        ({"OPTIONS": {"decode_responses": True}}, "decode_responses"),
        ({"OPTIONS": {"SENTINELS": 7, "password": "hunter2"}}, "TypeError"),
    ],
)
def test_store_that_refuses_what_it_is_given_is_an_error_that_shows_no_password(shared, given, problem):
    (message,) = shared(given).values()
    assert (message.id, message.level) == ("idlewatch.E031", ERROR)
    assert problem in message.msg
    assert message.hint
    assert "hunter2" not in f"{message.msg}{message.hint}"


@pytest.mark.parametrize(
    "given",
    [
        {"LOCATION": None},
        {"LOCATION": "rediss://user:hunter2@cache.example:6380/3", "OPTIONS": {"ssl_cert_reqs": "required"}},
        {"LOCATION": "unix:///run/redis.sock", "OPTIONS": None},
        {"OPTIONS": {"SENTINELS": [("127.0.0.1", 26379)], "MASTER": "main", "PREFIX": "own:{tag}:"}},
    ],
)
def test_ways_to_redis_that_can_be_taken_get_no_message_and_no_connection(shared, given):
    assert shared(given) == {}


@pytest.mark.parametrize("error", [OSError, ValueError, RuntimeError])
def test_what_another_store_raises_is_shown_by_its_kind_alone(found, monkeypatch, error):
    def refuse(*_: object) -> None:
        raise error("redis://:hunter2@127.0.0.1")

    monkeypatch.setattr(OwnStore, "__init__", refuse)
    (message,) = found(IDLEWATCH={"STORE": {"BACKEND": f"{__name__}.OwnStore"}}).values()
    assert message.id == "idlewatch.E031"
    assert error.__name__ in message.msg
    assert "hunter2" not in message.msg


def test_redis_store_without_its_package_names_what_to_install(shared, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("idlewatch.store.redis")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "redis", None)
    (message,) = shared().values()
    assert (message.id, message.level) == ("idlewatch.E030", ERROR)
    assert "idlewatch[redis]" in str(message.hint)


def test_redis_store_without_its_fast_parser_gets_a_warning(shared, found, monkeypatch):
    monkeypatch.setitem(sys.modules, "hiredis", None)
    (message,) = shared().values()
    assert (message.id, message.level) == ("idlewatch.W019", WARNING)
    assert "idlewatch[redis]" in str(message.hint)
    assert found(IDLEWATCH={}) == {}
