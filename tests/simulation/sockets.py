"""WebSockets between tabs and servers."""

from __future__ import annotations

import asyncio
import json
from contextvars import Context
from typing import TYPE_CHECKING, Any

from idlewatch.core.protocol import CLEAN_CLOSES, TAB_PATH, Close

if TYPE_CHECKING:
    from tests.simulation.servers import Server
    from tests.simulation.tabs import Tab


class Socket:
    """One WebSocket, with the network between its two ends."""

    def __init__(self, server: Server, cookie: str, client: Tab) -> None:
        self.server = server
        self.client = client
        self.cookie = cookie
        self.inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.is_accepted = False
        self.closed_at: float | None = None
        self.is_closed = False
        self.is_left = False
        """Whether the page closed it."""
        self.has_ended = False
        """Whether the server closed it because the session had ended."""
        self.task: asyncio.Task[Any] | None = None
        self._order = 0.0
        self._handling: tuple[str, float] | None = None
        self._answers: list[tuple[dict[str, Any], float]] = []
        """What was sent since the message came that is being handled, and when."""
        headers = [(b"host", b"testserver"), (b"origin", b"http://testserver")]
        if cookie:
            headers.append((b"cookie", f"sessionid={cookie}".encode()))
        self.scope = {
            "type": "websocket",
            "path": TAB_PATH,
            "query_string": b"",
            "headers": headers,
            "subprotocols": [],
        }
        self._later(self.inbox.put_nowait, {"type": "websocket.connect"})

    @property
    def watch(self) -> str | None:
        """The session of its cookie, as far as the browser knows it."""
        return self.client.browser.watches.get(self.cookie)

    def _close(self) -> None:
        self.is_closed, self.closed_at = True, self.server.world.now

    def _later(self, call: Any, *args: Any) -> None:
        """Do something at the other end, after what was sent before."""
        loop = asyncio.get_running_loop()
        # A loop has no order among what is due at one moment.
        at = max(loop.time() + self.server.world.network(), self._order + 1e-6)
        self._order = at
        loop.call_at(at, call, *args, context=Context())

    # The server's side.

    async def receive(self) -> dict[str, Any]:
        if self._handling is not None:
            self.client.was_handled(self, *self._handling, self._answers)
            self._handling = None
        message = await self.inbox.get()
        self._answers = []
        if message["type"] == "websocket.receive":
            self._handling = message["text"], self.server.world.now
            self.client.was_received(self, message["text"])
        return message

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.accept":
            # Also where the network was lost meanwhile, which the server does not know.
            self.is_accepted = True
        if self.is_closed:
            return
        if message["type"] == "websocket.accept":
            self._later(self.client.on_open, self)
        elif message["type"] == "websocket.send":
            sent = json.loads(message["text"]), self.server.world.now
            self._answers.append(sent)
            self._later(self.client.on_frame, self, *sent)
        elif message["type"] == "websocket.close":
            self._close()
            code = message.get("code") or 1000
            self.has_ended = code == Close.ENDED
            self._later(self._client_closed, code)
            self._later(self.inbox.put_nowait, {"type": "websocket.disconnect", "code": code})

    def ended(self, task: asyncio.Task[Any]) -> None:
        self.server.sockets.pop(self, None)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.server.world.note_error("socket", error)
        if not self.is_closed:
            self._close()
            self._later(self._client_closed, 1006)

    def _client_closed(self, code: int) -> None:
        self.client.on_close(self, code)

    # The client's side.

    def put(self, message: dict[str, Any]) -> None:
        """Send a message to the server."""
        if not self.is_closed:
            self._later(self.inbox.put_nowait, {"type": "websocket.receive", "text": json.dumps(message)})

    def close(self, code: int) -> None:
        """Close from the page."""
        if not self.is_closed:
            self._close()
            self.is_left = code in CLEAN_CLOSES
            self._later(self.inbox.put_nowait, {"type": "websocket.disconnect", "code": code})

    def break_off(self, server_sees_after: float | None = None) -> None:
        """Break, as a lost network does: the page sees it at once, the server in a while."""
        if not self.is_closed:
            self._close()
            self._later(self._client_closed, 1006)
            if server_sees_after is not None:
                loop = asyncio.get_running_loop()
                message = {"type": "websocket.disconnect", "code": 1006}
                loop.call_later(server_sees_after, self.inbox.put_nowait, message, context=Context())
