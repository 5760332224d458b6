"""The base of the sockets of tabs and of operators: closing, and limits on messages."""

from __future__ import annotations

from abc import abstractmethod
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from channels.consumer import get_handler_name
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.core.handlers.asgi import get_script_prefix
from django.urls import get_script_prefix as current_script_prefix
from django.urls import set_script_prefix

from idlewatch.conf.extras import Extra, is_installed
from idlewatch.core.protocol import MAX_BAD_MESSAGES, MAX_MESSAGES, RATE_WINDOW, Close, ErrorCode, ErrorFrame, encode

CLIENT_IS_GONE: tuple[type[Exception], ...] = (OSError,)
"""What a server raises when a message is sent to a client that is gone: `OSError` by ASGI 2.4, and under Daphne
`Disconnected`, from the browser's close until Daphne reports it."""
if is_installed(Extra.DAPHNE):
    from autobahn.exception import Disconnected

    CLIENT_IS_GONE += (Disconnected,)


class Socket(AsyncWebsocketConsumer):
    """A socket that needs no channel layer, nor a task or a thread for each message."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._bad_messages = 0
        self._recent: list[float] = []
        self._closing = False
        self._dismissed = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - as channels has it
        """Serve the socket until it is closed."""
        self.scope = scope
        self.base_send = _while_there(send)
        # As Django's handler does for a request: URLs lie below it. What holds already is not kept for each socket.
        if (prefix := get_script_prefix(scope)) or current_script_prefix() != "/":
            set_script_prefix(prefix)
        try:
            while True:
                await self.dispatch(await receive())
        except StopConsumer:
            return
        except CancelledError:
            if not self._dismissed:
                raise
            # Daphne cancels its applications at once when it stops: the close frame has not been sent yet.
            await _gone(receive)
        finally:
            # `disconnect` does not run after a handler failed, or the server cancelled one that took too long.
            await self._leave()

    @classmethod
    def serve(cls, scope: Any, receive: Any, send: Any) -> Coroutine[Any, Any, None]:  # noqa: ANN401 - as channels has it
        """Serve a scope, as `as_asgi` does, by one coroutine where that has two for as long as the socket is open."""
        return cls()(scope, receive, send)

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Handle a message, without the hop to a thread that channels makes before each to close old connections."""
        if message["type"] == "websocket.receive":
            # Nearly all are. A binary one has no text.
            await self.receive(message.get("text"))
        else:
            await getattr(self, get_handler_name(message))(message)

    async def websocket_disconnect(self, message: Any) -> None:  # noqa: ANN401 - as channels has it
        """Handle the end of the connection, without the hop for the connections that a socket does not hold."""
        await self.disconnect(message["code"])
        raise StopConsumer

    def dismiss(self) -> Coroutine[Any, Any, None]:
        """Close because the server is going away, and live until the client has answered; the page comes back."""
        # At once: Daphne may cancel this socket's application before the close is sent.
        self._dismissed = True
        return self._shut(Close.GOING_AWAY)

    async def drop(self) -> None:
        """Close because the client does not read; the page comes back."""
        await self._shut(Close.TOO_SLOW)

    @abstractmethod
    async def _leave(self) -> None:
        """Remove the socket from hub or reader; a second call does nothing."""

    async def _shut(self, code: Close) -> None:
        if not self._closing:
            self._closing = True
            await self.close(code=int(code))

    async def _refuse(self, code: ErrorCode, detail: str) -> None:
        """Answer a bad message; close after too many of them."""
        await self.send(text_data=encode(ErrorFrame(code, detail)))
        self._bad_messages += 1
        if self._bad_messages >= MAX_BAD_MESSAGES:
            await self._shut(Close.BAD_MESSAGES)

    def _is_flooding(self, at: float) -> bool:
        """Count a message that came at `at` (epoch seconds), and return whether there were too many recently."""
        recent = self._recent
        while recent and recent[0] <= at - RATE_WINDOW:
            # There are few: an empty deque takes ten times the memory of a list, for each tab.
            del recent[0]
        recent.append(at)
        return len(recent) > MAX_MESSAGES


async def _gone(receive: Callable[[], Awaitable[dict[str, Any]]]) -> None:
    """Wait until the client is gone; its further messages are ignored."""
    while (await receive())["type"] != "websocket.disconnect":
        pass


def _while_there(send: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    """Wrap `send`, so that sending to a client that is gone does nothing.

    The server reports the close code next. The socket waits for it: the code distinguishes a closed tab from a lost
    connection.
    """

    async def sending(message: Any) -> None:  # noqa: ANN401 - as ASGI has it
        try:  # noqa: SIM105 - suppress would cost more than all the rest here
            await send(message)
        except CLIENT_IS_GONE:
            pass

    return sending
