from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.checks import CheckMessage, run_checks

from idlewatch.checks.registry import TAG

REDIS = {"BACKEND": "idlewatch.store.redis.RedisStore"}
LAYER = {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer"}
SILENT = [{"address": "redis://127.0.0.1:1/0", "socket_timeout": None}]

ONE_PROCESS = "idlewatch.W034"
"""Reported of every project on the memory store, that of the tests included."""

Run = Callable[..., list[CheckMessage]]
Found = Callable[..., dict[str, CheckMessage]]


@pytest.fixture
def run(settings) -> Run:
    """Run the checks of the tests' project with some settings changed."""

    def run(*, deploy: bool = False, **changes: object) -> list[CheckMessage]:
        for name, value in changes.items():
            setattr(settings, name, value)
        messages = run_checks(tags=[TAG], include_deployment_checks=deploy)
        return [message for message in messages if message.id != ONE_PROCESS]

    return run


@pytest.fixture
def found(run: Run) -> Found:
    """Run the checks; return their messages by id."""

    def found(*, deploy: bool = False, **changes: object) -> dict[str, CheckMessage]:
        return {str(message.id).removeprefix("idlewatch."): message for message in run(deploy=deploy, **changes)}

    return found


@pytest.fixture
def shared(found: Found) -> Found:
    """Run the checks for a project that several processes serve; return their messages by id."""

    def shared(store: object = None, layer: object = None, **changes: object) -> dict[str, CheckMessage]:
        layers = {"default": {**LAYER, "CONFIG": {"hosts": SILENT}} if layer is None else layer}
        return found(**({"IDLEWATCH": {"STORE": {**REDIS, **(store or {})}}, "CHANNEL_LAYERS": layers} | changes))

    return shared
