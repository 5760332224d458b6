from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from unittest import mock

import pytest
from channels.layers import InMemoryChannelLayer, get_channel_layer
from django.db import OperationalError
from django.db.backends.utils import CursorWrapper
from django.test import AsyncClient, Client

from idlewatch.models import StoreOwner
from idlewatch.monitor import stores
from idlewatch.monitor.store_lease import StoreLease
from idlewatch.ops import health
from idlewatch.process import current_process
from idlewatch.runtime.runtime import Runtime, running_runtime, runtime_of
from tests.conftest import Time

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def served() -> AsyncIterator[Runtime]:
    """A process whose timer has kept a round."""
    served = runtime_of(current_process())
    served.start()
    async with asyncio.timeout(5):
        while served.timer.kept_at is None:
            assert served.runs
            await asyncio.sleep(0.01)
    yield served
    await served.stop()


async def ready() -> tuple[int, list[str]]:
    response = await AsyncClient().get("/readyz")
    found = response.json()
    assert found["ready"] is (response.status_code == 200)
    return response.status_code, found["problems"]


async def test_a_process_that_works_is_ready_with_and_without_a_channel_layer(served: Runtime, settings: Any):
    for _ in range(5):
        assert await ready() == (200, [])
    layer = get_channel_layer()
    assert isinstance(layer, InMemoryChannelLayer)
    assert not [channel for channel in layer.channels if "ready" in channel], "nothing is left in the layer"
    settings.CHANNEL_LAYERS = {}
    assert await ready() == (200, [])


async def test_the_answer_to_a_get_is_without_a_session_and_not_cached():
    response = await AsyncClient().get("/readyz")
    assert "no-store" in response.headers["Cache-Control"]
    assert not response.cookies
    assert (await AsyncClient().post("/readyz")).status_code == 405


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if "not ready" in each.getMessage()]


class TestNotReady:
    """Anyone may ask which part is not ready; why, the log has."""

    async def test_with_a_timer_that_died(self, served: Runtime, caplog: pytest.LogCaptureFixture):
        assert running_runtime(current_process()) is served
        await served.stop()
        assert running_runtime(current_process()) is None
        assert await ready() == (503, ["timer"])
        assert "idlewatch.asgi.watched" in caplog.text

    async def test_when_the_timer_is_stuck(
        self, served: Runtime, clock: Time, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(served.timer, "round", mock.AsyncMock())
        served.timer.kept_at = clock.now - health.ROUND_TIMEOUT - 1
        assert await ready() == (503, ["timer"])
        served.timer.kept_at = None
        assert await ready() == (503, ["timer"])
        assert logged(caplog) == [
            "This process is not ready (timer): it has not kept a round for 10 s.",
            "This process is not ready (timer): it has not finished its first round yet.",
        ]

    async def test_on_a_memory_store_that_belongs_to_another_process(
        self, served: Runtime, caplog: pytest.LogCaptureFixture
    ):
        current_process().part(StoreLease).owner = StoreOwner(host="elsewhere", pid=1)
        assert await ready() == (503, ["timer"])
        assert "the memory store belongs to another process" in caplog.text

    async def test_without_a_database_whose_errors_are_logged_once_and_shown_to_no_one(
        self, served: Runtime, caplog: pytest.LogCaptureFixture
    ):
        error = OperationalError('FATAL: password authentication failed for user "shop" at db7.internal')
        with mock.patch.object(CursorWrapper, "execute", side_effect=error):
            for _ in range(2):
                assert "database" in (await ready())[1]
            assert "internal" not in (await AsyncClient().get("/readyz")).text
        assert logged(caplog) == [f"This process is not ready (database): {error}."]

    async def test_with_a_store_that_does_not_answer(self, served: Runtime, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(health, "CHECK_TIMEOUT", 0.2)
        monkeypatch.setattr(stores.current(), "ping", lambda: asyncio.sleep(60))
        assert await ready() == (503, ["store"])

    async def test_every_part_is_named(self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
        monkeypatch.setattr(InMemoryChannelLayer, "send", mock.AsyncMock(side_effect=ConnectionError("refused")))
        monkeypatch.setattr(stores.current(), "ping", mock.AsyncMock(side_effect=ConnectionError()))
        assert await ready() == (503, ["store", "channel layer", "timer"])
        assert "(store): ConnectionError." in caplog.text
        assert "(channel layer): refused." in caplog.text


def test_a_process_that_is_up_is_healthy_without_a_query(django_assert_num_queries: Any):
    with django_assert_num_queries(0):
        response = Client().get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok\n")
