"""The load: many raw WebSocket connections from one event loop, as browsers would open them."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Callable, Iterable
from typing import Any

from idlewatch.core.protocol import LIVE_PATH, TAB_PATH

CONCURRENT_HANDSHAKES = 64
HANDSHAKE_TIMEOUT = 60.0
ANSWER_TIMEOUT = 300.0
TEXT, CLOSE, PING = 1, 8, 9
HEADERS = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Accept-Language: en-GB,en;q=0.9",
    "Cache-Control: no-cache",
)
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
"""Browsers offer it."""

OnText = Callable[[str, bytes], None]
"""What is called with the session key of a tab and each message that it receives."""


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """Return a short message as a client sends it. The mask is zero, for which the server unmasks it all the same."""
    return bytes([0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0]) + payload


HEARTBEAT = frame(b'{"type":"activity","ago":0.0}')


class Connection(asyncio.Protocol):
    """One WebSocket connection, which answers pings and closes."""

    transport: asyncio.Transport

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.is_open = False
        self.accepted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self.accepted.done() and not self._read_handshake():
            return
        while (message := self._next_frame()) is not None:
            self._handle(*message)

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        if not self.accepted.done():
            self.accepted.set_exception(error or ConnectionError("The server closed the connection."))

    def on_text(self, payload: bytes) -> None:
        """Take in a message of the server."""

    def _read_handshake(self) -> bool:
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end:
            return False
        self._received = rest
        if head.startswith(b"HTTP/1.1 101"):
            self.is_open = True
            self.accepted.set_result(None)
            return True
        self.accepted.set_exception(ConnectionError(f"The handshake was refused: {head[:200]!r}"))
        self.transport.abort()
        return False

    def _next_frame(self) -> tuple[int, bytes] | None:
        received = self._received
        if len(received) < 2:
            return None
        start, length = 2, received[1]
        if length >= 126:
            start += 2 if length == 126 else 8
            if len(received) < start:
                return None
            length = int.from_bytes(received[2:start], "big")
        if len(received) < start + length:
            return None
        self._received = received[start + length :]
        return received[0] & 15, received[start : start + length]

    def _handle(self, opcode: int, payload: bytes) -> None:
        if opcode == TEXT:
            self.on_text(payload)
        elif opcode == PING:
            self.transport.write(frame(payload, 10))
        elif opcode == CLOSE:
            self.is_open = False
            self.transport.write(frame(payload[:2], CLOSE))


class Tab(Connection):
    """A tab of the session with this key."""

    def __init__(self, request: bytes, key: str, on_text: OnText | None) -> None:
        super().__init__(request)
        self.key = key
        self._on_text = on_text

    def on_text(self, payload: bytes) -> None:
        if self._on_text is not None:
            self._on_text(self.key, payload)


class Control(Connection):
    """The connection over which a server under load is asked what it did."""

    @classmethod
    async def open(cls, port: int) -> Control:
        control = cls(_request(port, "/bench/"))
        await _connect(control, port)
        return control

    def __init__(self, request: bytes) -> None:
        super().__init__(request)
        self._answers: asyncio.Queue[Any] = asyncio.Queue()

    def on_text(self, payload: bytes) -> None:
        self._answers.put_nowait(json.loads(payload))

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._answers.put_nowait(ConnectionError("The server failed to answer."))

    async def ask(self, command: str) -> Any:
        self.transport.write(frame(command.encode()))
        answer = await asyncio.wait_for(self._answers.get(), ANSWER_TIMEOUT)
        if isinstance(answer, ConnectionError):
            raise answer
        return answer


async def open_tabs(port: int, keys: Iterable[str], on_text: OnText | None = None) -> list[Tab]:
    """Open a tab for each session key, many at once."""
    waiting, tabs = iter(keys), list[Tab]()

    async def open_in_turn() -> None:
        for key in waiting:
            tab = Tab(_request(port, TAB_PATH, f"Cookie: sessionid={key}", DEFLATE), key, on_text)
            await _connect(tab, port)
            tabs.append(tab)

    async with asyncio.TaskGroup() as group:
        for _ in range(CONCURRENT_HANDSHAKES):
            group.create_task(open_in_turn())
    return tabs


class LivePage(Connection):
    """An operator's page, which acknowledges each frame."""

    frames = 0

    @classmethod
    async def open(cls, port: int, key: str) -> LivePage:
        page = cls(_request(port, LIVE_PATH, f"Cookie: sessionid={key}", DEFLATE))
        await _connect(page, port)
        page.transport.write(frame(b'{"type":"watch","query":1}'))
        return page

    def on_text(self, payload: bytes) -> None:
        self.frames += 1
        self.transport.write(frame(json.dumps({"type": "seen", "frame": json.loads(payload)["frame"]}).encode()))


def close(connections: Iterable[Connection]) -> None:
    """Drop connections."""
    for each in connections:
        each.transport.abort()


def _request(port: int, path: str, *headers: str) -> bytes:
    host = f"127.0.0.1:{port}"
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", f"Origin: http://{host}", *HEADERS, *headers, "", ""]
    return "\r\n".join(lines).encode()


async def _connect(connection: Connection, port: int) -> None:
    loop, connected = asyncio.get_running_loop(), socket.socket()
    connected.setblocking(False)
    # It is reset at its end, and leaves no port waiting.
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await loop.sock_connect(connected, ("127.0.0.1", port))
    await loop.create_connection(lambda: connection, sock=connected)
    await asyncio.wait_for(connection.accepted, HANDSHAKE_TIMEOUT)
