from __future__ import annotations

import asyncio
import sys
from typing import Any
from unittest import mock

import pytest
from asgiref.testing import ApplicationCommunicator

from idlewatch.asgi import watched
from idlewatch.runtime import hypercorn
from idlewatch.runtime.runtime import Runtime


@pytest.fixture(autouse=True)
def affected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a process of hypercorn on Python 3.12."""
    monkeypatch.setitem(sys.modules, hypercorn.ASYNCIO_WORKER, mock.Mock())
    monkeypatch.setattr(hypercorn, "WAITS_FOR_CONNECTIONS", True)


async def test_a_start_under_hypercorn_logs_once_that_it_will_not_stop(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Runtime, "start", lambda self: None)
    server = ApplicationCommunicator(watched(mock.AsyncMock()), {"type": "lifespan"})
    for event in ("lifespan.startup", "lifespan.shutdown"):
        await server.send_input({"type": event})
        assert await server.receive_output() == {"type": f"{event}.complete"}
    [record] = caplog.records
    assert (record.name, record.levelname) == ("idlewatch", "WARNING")
    assert "-k uvloop" in record.message


@pytest.mark.parametrize(
    ("loop", "changes"),
    [
        (mock.Mock(spec=asyncio.AbstractEventLoop), {}),
        (mock.Mock(spec=asyncio.BaseEventLoop), {"WAITS_FOR_CONNECTIONS": False}),
        (mock.Mock(spec=asyncio.BaseEventLoop), {"ASYNCIO_WORKER": "a server that is not here"}),
    ],
    ids=["uvloop", "python-3.11", "another-server"],
)
def test_servers_that_stop_log_nothing(
    loop: asyncio.AbstractEventLoop,
    changes: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
):
    for name, value in changes.items():
        monkeypatch.setattr(hypercorn, name, value)
    hypercorn.warn_of_endless_stop(loop)
    assert not caplog.records
