"""What the tests of the runtime share."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest
from channels.layers import BaseChannelLayer, InMemoryChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer

from tests.support.redis_server import redis_url


@pytest.fixture(params=["memory", pytest.param("pubsub", marks=pytest.mark.redis)])
async def layer(request: pytest.FixtureRequest) -> AsyncIterator[BaseChannelLayer]:
    if request.param == "memory":
        yield InMemoryChannelLayer()
    else:
        hosts = [{"address": redis_url(), "socket_timeout": None}]
        found = RedisPubSubChannelLayer(hosts=hosts, prefix=secrets.token_hex(8))
        yield found
        await found.flush()
