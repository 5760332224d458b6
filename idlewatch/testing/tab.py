"""An open tab in tests."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Self

from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.test import AsyncClient, Client
from django.utils.module_loading import import_string

from idlewatch.core.protocol import TAB_PATH

CLOSED_BY_BROWSER = 1001
"""The code that browsers send when a tab is closed."""
FRAME_TIMEOUT = 5.0
"""Seconds to wait for a frame."""


class TabCommunicator(ApplicationCommunicator):
    """An open tab of the user who is signed in with a test client: it sends what the script of a page sends.

    Frames are dicts, as `docs/protocol.md` has them. `async with` opens and closes the tab::

        async with TabCommunicator(client) as tab:
            assert tab.state["phase"] == "active"

    `application`: by default that of `ASGI_APPLICATION`. `origin` and `headers`: for a site at another origin.
    """

    def __init__(
        self,
        client: Client | AsyncClient,
        application: Any = None,  # noqa: ANN401 - as asgiref has it
        *,
        origin: str = "http://testserver",
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
        sent = [("host", origin.partition("://")[2]), ("origin", origin), ("cookie", cookies), *headers]
        scope = {
            "type": "websocket",
            "scheme": "wss" if origin.startswith("https:") else "ws",
            "path": TAB_PATH,
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in sent],
            "subprotocols": [],
        }
        super().__init__(application or import_string(settings.ASGI_APPLICATION), scope)
        self.state: dict[str, Any] = {}
        """The latest state frame that was received."""

    async def open(self) -> dict[str, Any]:
        """Open the tab; return the state, which comes first. After that of an ended session, the server closes.

        Raises:
            ConnectionRefusedError: the handshake was refused.
        """
        await self.send_input({"type": "websocket.connect"})
        answer = await self.receive_output(FRAME_TIMEOUT)
        if answer["type"] != "websocket.accept":
            raise ConnectionRefusedError("The handshake was refused; expected the origin to be the site's own.")
        return await self.frame()

    async def frame(self) -> dict[str, Any]:
        """Return the next frame: a change of the session, a notice, or the answer to a message.

        Raises:
            AssertionError: the server closed instead.
        """
        message = await self.receive_output(FRAME_TIMEOUT)
        if message["type"] != "websocket.send":
            raise AssertionError(f"The server sent {message}; expected a frame.")
        frame: dict[str, Any] = json.loads(message["text"])
        if frame["type"] == "state":
            self.state = frame
        return frame

    async def close_code(self) -> int:
        """Wait for the server to close, and return the code: 4401 after an end.

        Raises:
            AssertionError: it sent a frame instead.
        """
        message = await self.receive_output(FRAME_TIMEOUT)
        if message["type"] != "websocket.close":
            raise AssertionError(f"The server sent {message}; expected it to close.")
        return int(message["code"])

    async def activity(self, ago: float = 0.0) -> None:
        """Report that the user acted `ago` seconds ago; the server does not answer."""
        await self._send({"type": "activity", "ago": ago})

    async def extend(self) -> dict[str, Any]:
        """Stay signed in, as the dialog does; return the answer."""
        return await self._ask({"type": "extend"})

    async def hold(self, id: str, label: str = "") -> dict[str, Any]:  # noqa: A002 - as the frame has it
        """Hold the session; return the answer."""
        return await self._ask({"type": "hold", "id": id, "label": label})

    async def release(self, id: str) -> dict[str, Any]:  # noqa: A002 - as the frame has it
        """Release a hold; return the answer."""
        return await self._ask({"type": "release", "id": id})

    async def sync(self) -> dict[str, Any]:
        """Ask for the state, and return it."""
        return await self._ask({"type": "sync"})

    async def close(self, code: int = CLOSED_BY_BROWSER) -> None:
        """Close the tab as a browser does; `code` 4000 is that of a page which navigates away."""
        await self.send_input({"type": "websocket.disconnect", "code": code})
        await self.wait(FRAME_TIMEOUT)

    async def _send(self, message: dict[str, Any]) -> None:
        await self.send_input({"type": "websocket.receive", "text": json.dumps(message)})

    async def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        await self._send(message)
        return await self.frame()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
