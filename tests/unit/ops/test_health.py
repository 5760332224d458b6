from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from channels.layers import InMemoryChannelLayer, get_channel_layer
from django.db import OperationalError
from django.db.backends.utils import CursorWrapper
from django.test import AsyncClient, Client

from idlewatch.core.clock import as_datetime
from idlewatch.models import StoreOwner
from idlewatch.monitor import service as monitor
from idlewatch.ops import health
from idlewatch.process import current_process, now
from idlewatch.runtime.runtime import Runtime, running_runtime, runtime_of
from tests.conftest import Time

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def served() -> AsyncIterator[Runtime]:
    """A process whose timer has kept a round."""
    served = await start()
    yield served
    await served.stop()


async def start() -> Runtime:
    """Start the timer, and wait for its first round."""
    started = runtime_of(current_process())
    started.start()
    async with asyncio.timeout(5):
        while started.timer.kept_at is None and not started.timer.membership.refused:
            assert started.runs
            await asyncio.sleep(0.01)
    return started


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_TIMEOUT", 0.2)


async def ready() -> tuple[int, dict[str, str]]:
    response = await AsyncClient().get("/readyz")
    found = response.json()
    assert found["ready"] is (response.status_code == 200)
    return response.status_code, found["problems"]


class TestReady:
    async def test_a_process_that_works_is(self, served: Runtime):
        assert await ready() == (200, {})

    async def test_a_process_without_a_channel_layer_is_too(self, served: Runtime, settings: Any):
        settings.CHANNEL_LAYERS = {}
        assert await ready() == (200, {})

    async def test_nothing_of_it_is_kept_in_the_layer(self, served: Runtime):
        for _ in range(5):
            await ready()
        layer = get_channel_layer()
        assert isinstance(layer, InMemoryChannelLayer)
        assert not [channel for channel in layer.channels if "ready" in channel]

    async def test_it_is_asked_without_a_session_and_kept_nowhere(self, served: Runtime):
        response = await AsyncClient().get("/readyz")
        assert "no-store" in response.headers["Cache-Control"]
        assert not response.cookies

    async def test_it_is_asked_by_get_alone(self, served: Runtime):
        assert (await AsyncClient().post("/readyz")).status_code == 405


class TestNotReady:
    async def test_without_a_timer(self):
        status, problems = await ready()
        assert status == 503
        assert list(problems) == ["timer"]
        assert "idlewatch.asgi.watched" in problems["timer"]

    async def test_with_a_timer_that_died(self, served: Runtime):
        assert running_runtime(current_process()) is served
        await served.stop()
        assert running_runtime(current_process()) is None
        assert (await ready())[0] == 503

    async def test_while_another_process_owns_the_store(self, served: Runtime):
        membership = served.timer.membership
        membership.owns_store, membership.refused = False, True
        with mock.patch.object(membership, "_own"):
            status, problems = await ready()
        assert status == 503
        assert "another process" in problems["timer"]

    async def test_when_the_timer_is_stuck(self, served: Runtime, clock: Time):
        served.timer.kept_at = clock.now - health.ROUND_TIMEOUT - 1
        status, problems = await ready()
        assert status == 503
        assert "10 s" in problems["timer"]

    async def test_without_a_database(self, served: Runtime):
        with mock.patch.object(CursorWrapper, "execute", side_effect=OperationalError("no such host")):
            status, problems = await ready()
        assert status == 503
        assert problems["database"] == "no such host"

    async def test_with_a_database_that_does_not_answer(self, served: Runtime, impatient: None):
        def stuck(*_: Any) -> None:
            time.sleep(0.5)

        with mock.patch.object(CursorWrapper, "execute", stuck):
            status, problems = await ready()
        assert status == 503
        assert problems["database"] == "TimeoutError"

    async def test_with_a_store_that_does_not_answer(
        self, served: Runtime, impatient: None, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(monitor.store(), "ping", lambda: asyncio.sleep(60))
        status, problems = await ready()
        assert status == 503
        assert list(problems) == ["store"]

    async def test_with_a_layer_that_refuses(self, served: Runtime, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(InMemoryChannelLayer, "send", mock.AsyncMock(side_effect=ConnectionError("refused")))
        status, problems = await ready()
        assert status == 503
        assert problems == {"channel layer": "refused"}

    async def test_every_part_is_named(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(InMemoryChannelLayer, "send", mock.AsyncMock(side_effect=ConnectionError("refused")))
        monkeypatch.setattr(monitor.store(), "ping", mock.AsyncMock(side_effect=ConnectionError()))
        assert await ready() == (503, {"store": "ConnectionError", "channel layer": "refused", "timer": mock.ANY})


class TestHealthy:
    async def test_a_process_that_is_up_is_whatever_it_lacks(self):
        response = await AsyncClient().get("/healthz")
        assert (response.status_code, response.content) == (200, b"ok\n")

    async def test_it_asks_nothing(self, django_assert_num_queries: Any):
        @sync_to_async
        def ask() -> None:
            with django_assert_num_queries(0):
                assert Client().get("/healthz").status_code == 200

        await ask()


async def test_a_second_process_on_the_memory_store_is_not_ready(caplog: pytest.LogCaptureFixture):
    # The tests' parent lives as long as they do.
    await StoreOwner.objects.acreate(
        host=socket.gethostname(), pid=os.getppid(), process="other", renewed=as_datetime(now())
    )
    second = await start()
    status, problems = await ready()
    assert status == 503
    assert "belongs to another process" in problems["timer"]
    await StoreOwner.objects.all().adelete()
    async with asyncio.timeout(5):
        while (await ready())[0] != 200:
            assert second.runs
            await asyncio.sleep(0.05)
    await second.stop()
