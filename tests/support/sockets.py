"""Tabs for the tests: sockets to the tests' site without a server."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable
from typing import Any

from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from idlewatch.core.protocol import TAB_PATH
from idlewatch.monitor import django_sessions, stores
from idlewatch.process import current_process
from idlewatch.store.values import Watched
from tests.support.asgi import application

SITE = "http://testserver"
WITHIN = 5.0
"""Seconds to wait for a frame: what comes, comes at once, but the machine may be busy."""


class Signed:
    """A user who signed in with a browser of their own."""

    def __init__(self, name: str = "ada") -> None:
        self.user = User.objects.filter(username=name).first() or User.objects.create_user(name, password="pw")
        self.client = Client()
        self.client.force_login(self.user)
        self.watch_id: str = self.client.session[django_sessions.WATCH_KEY]

    @property
    def key(self) -> str:
        return self.client.cookies[settings.SESSION_COOKIE_NAME].value

    @property
    def watched(self) -> Watched:
        found = stores.current().sessions.get(self.watch_id)
        assert found is not None
        return found


@sync_to_async
def sign_in(name: str = "ada") -> Signed:
    return Signed(name)


class Tab:
    """One socket."""

    def __init__(
        self,
        key: str | None = None,
        *,
        origin: str | None = SITE,
        host: str = "testserver",
        headers: Iterable[tuple[str, str]] = (),
        path: str = TAB_PATH,
        **scope: Any,
    ) -> None:
        sent = [("host", host), *headers]
        if origin is not None:
            sent.append(("origin", origin))
        if key is not None:
            sent.append(("cookie", f"{settings.SESSION_COOKIE_NAME}={key}"))
        encoded = [(name.encode(), value.encode()) for name, value in sent]
        self.socket = WebsocketCommunicator(_served_here(), path, headers=encoded)
        self.socket.scope |= scope

    @classmethod
    async def open(cls, signed: Signed, **options: Any) -> Tab:
        """Open a tab and take the state that comes first."""
        tab = cls(signed.key, **options)
        assert await tab.is_accepted()
        tab.first = await tab.frame()
        return tab

    first: dict[str, Any]

    async def is_accepted(self) -> bool:
        accepted, _ = await self.socket.connect(WITHIN)
        return accepted

    async def frame(self) -> dict[str, Any]:
        frame: dict[str, Any] = await self.socket.receive_json_from(WITHIN)
        return frame

    async def close_code(self) -> int:
        """Return the code with which the server closes, as the next it sends."""
        message = await self.socket.receive_output(WITHIN)
        assert message["type"] == "websocket.close", message
        code: int = message["code"]
        return code

    async def say(self, kind: str, **fields: Any) -> None:
        await self.send(json.dumps({"type": kind, **fields}))

    async def send(self, text: str | None = None, binary: bytes | None = None) -> None:
        await self.socket.send_input({"type": "websocket.receive", "text": text, "bytes": binary})

    async def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Send a message that is answered."""
        await self.say(kind, **fields)
        return await self.frame()

    async def sync(self) -> dict[str, Any]:
        return await self.ask("sync")

    async def leave(self, code: int | None = 1001) -> None:
        await self.socket.disconnect(code, WITHIN)  # type: ignore[arg-type]


def _served_here() -> Any:
    """Return the application of the current process: a communicator calls it in an empty context."""
    process = current_process()

    async def served(scope: Any, receive: Any, send: Any) -> None:
        with process.entered():
            await application(scope, receive, send)

    return served


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that another task or thread does."""
    async with asyncio.timeout(4 * WITHIN):
        while not condition():  # noqa: ASYNC110 - it may become true in another thread
            await asyncio.sleep(0.01)


def errors(caplog: Any) -> list[str]:
    """Return what was logged as an error."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


class FakeTab:
    """A tab that records the frames it receives."""

    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken
        self.frames: list[dict[str, Any]] = []
        self.ended = False
        self.dismissed = False
        self.dropped = False

    async def tell(self, frame: str, *, ended: bool) -> None:
        if self.broken:
            raise OSError("This tab is broken.")
        self.frames.append(json.loads(frame))
        self.ended = ended

    async def dismiss(self) -> None:
        if self.broken:
            raise OSError("This tab is broken.")
        self.dismissed = True

    async def drop(self) -> None:
        self.dropped = True

    @property
    def told(self) -> list[tuple[str, str | None, bool]]:
        return [(frame["phase"], frame["reason"], frame["extendable"]) for frame in self.frames]
