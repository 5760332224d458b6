from __future__ import annotations

import pytest
from channels.layers import InMemoryChannelLayer
from channels_redis.core import RedisChannelLayer
from django.conf import settings as project
from django.core.checks import ERROR, WARNING, run_checks

from idlewatch.checks.registry import TAG
from tests.unit.checks.conftest import LAYER, ONE_PROCESS, REDIS, SILENT

IN_MEMORY = {"BACKEND": "channels.layers.InMemoryChannelLayer"}


class OwnLayer(InMemoryChannelLayer):
    """A project's own."""


class OwnCoreLayer(RedisChannelLayer):
    """A project's own."""


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ({}, "E032"),
        (None, "E032"),
        ({"other": LAYER}, "E032"),
        ({"default": {}}, "E032"),
        ({"default": IN_MEMORY}, "E032"),
        ({"default": {"BACKEND": f"{__name__}.OwnLayer"}}, "E032"),
        ({"default": {"BACKEND": "channels_redis.pubsub.Nothing", "CONFIG": {"hosts": SILENT}}}, "E033"),
        ({"default": {"BACKEND": "nowhere.Layer"}}, "E033"),
    ],
)
def test_layer_that_reaches_one_process_beside_a_store_of_several_is_an_error(shared, found, layers, expected):
    (message,) = shared(CHANNEL_LAYERS=layers).values()
    assert (message.id, message.level) == (f"idlewatch.{expected}", ERROR)
    assert "channels_redis.pubsub.RedisPubSubChannelLayer" in str(message.hint)
    # One process alone reaches all its tabs by itself.
    assert found(IDLEWATCH={}) == {}


@pytest.mark.parametrize("backend", ["channels_redis.core.RedisChannelLayer", f"{__name__}.OwnCoreLayer"])
@pytest.mark.parametrize(
    ("hosts", "in_redis_py_7", "in_redis_py_8"),
    [
        (None, 0, 1),
        ([], 0, 1),
        (["redis://:hunter2@127.0.0.1:6379/0"], 0, 1),
        ([("127.0.0.1", 6379), {"address": "redis://127.0.0.1"}], 0, 2),
        ([{"host": "127.0.0.1", "socket_timeout": None}, "redis://127.0.0.1"], 0, 1),
        ([{"sentinels": [("127.0.0.1", 26379)], "master_name": "main"}], 0, 1),
        ([{"address": "redis://127.0.0.1", "socket_timeout": 1}], 1, 1),
        ([{"address": "redis://127.0.0.1", "socket_timeout": 60}], 0, 0),
        (SILENT, 0, 0),
    ],
)
def test_layer_that_takes_silence_for_an_outage_is_an_error(
    run, shared, monkeypatch, backend, hosts, in_redis_py_7, in_redis_py_8
):
    layer = {"BACKEND": backend, "CONFIG": {"hosts": hosts}}
    for installed, expected in (("7.4.1", in_redis_py_7), ("8.0.0b1", in_redis_py_8)):
        monkeypatch.setattr("idlewatch.checks.multiprocess.version", lambda _, installed=installed: installed)
        shared(layer=layer)
        messages = run()
        assert [message.id for message in messages] == ["idlewatch.E034"] * expected
        assert all("socket_timeout" in str(message.hint) for message in messages)
        assert "hunter2" not in str(messages)
        # The other layer reads again before any limit.
        assert shared(layer=layer | LAYER) == {}


@pytest.mark.parametrize(
    ("engine", "backend", "expected"),
    [
        ("cache", "locmem.LocMemCache", ["E035"]),
        ("cached_db", "locmem.LocMemCache", ["E035"]),
        ("cache", "dummy.DummyCache", ["E035"]),
        ("cache", "redis.RedisCache", []),
        ("cached_db", "db.DatabaseCache", []),
        ("db", "locmem.LocMemCache", []),
        ("signed_cookies", "locmem.LocMemCache", []),
    ],
)
def test_sessions_of_one_process_beside_a_store_of_several_are_an_error(shared, found, engine, backend, expected):
    caches = {"default": IN_MEMORY, "sessions": {"BACKEND": f"django.core.cache.backends.{backend}"}}
    changes = {"CACHES": caches, "SESSION_ENGINE": f"django.contrib.sessions.backends.{engine}"}
    messages = shared(SESSION_CACHE_ALIAS="sessions", **changes)
    assert list(messages) == expected
    assert all(message.hint and "'sessions'" in message.msg for message in messages.values())
    assert found(IDLEWATCH={}) == {}


def test_sqlite_beside_a_store_of_several_processes_is_reported_before_a_deployment(shared, monkeypatch):
    assert shared() == {}
    messages = shared(deploy=True)
    assert list(messages) == ["W020"]
    assert messages["W020"].level == WARNING
    with monkeypatch.context() as patch:
        patch.setattr(project, "DATABASES", {"default": {"ENGINE": "django.db.backends.postgresql"}})
        assert shared(deploy=True) == {}


@pytest.mark.parametrize("name", ["CHANNEL_LAYERS", "CACHES", "SESSION_CACHE_ALIAS", "DATABASES", "SESSION_ENGINE"])
def test_no_setting_of_the_project_makes_the_checks_of_many_processes_raise(run, shared, monkeypatch, name):
    shared(SESSION_ENGINE="django.contrib.sessions.backends.cache")
    for value in (None, 7, "", "..", [None], {"default": None}, {"default": {"BACKEND": 7}}):
        # Without the signal of a change: receivers of some of these settings would raise.
        with monkeypatch.context() as patch:
            patch.setattr(project, name, value)
            run(deploy=True)


@pytest.mark.parametrize(("store", "expected"), [({}, [ONE_PROCESS]), ({"STORE": REDIS}, [])])
def test_the_memory_store_is_reported_before_a_deployment(settings, store, expected):
    settings.IDLEWATCH = store
    messages = {deploy: run_checks(tags=[TAG], include_deployment_checks=deploy) for deploy in (False, True)}
    found = [message for message in messages[True] if message.id == ONE_PROCESS]
    assert [message.id for message in found] == expected
    assert all(message.level == WARNING and "RedisStore" in str(message.hint) for message in found)
    assert ONE_PROCESS not in {message.id for message in messages[False]}
