"""TLS for two threads."""

from __future__ import annotations

import select
import socket
import ssl
import time
from threading import Lock
from typing import Any


class TwoWayTls:
    """A connection with TLS that one thread reads from while another writes, as a WebSocket needs it.

    OpenSSL's own is not made for that: what is sent while the server's session tickets are read may never leave, and
    the handshake of a socket then waits for nothing.
    """

    def __init__(self, connection: ssl.SSLSocket) -> None:
        self._connection = connection
        self._connection.setblocking(False)
        self._timeout: float | None = None
        self._lock = Lock()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a socket has
        return getattr(self._connection, name)

    def settimeout(self, timeout: float | None) -> None:
        """Let each read and each write take so many seconds at most; None: as long as they need."""
        self._timeout = timeout

    def recv(self, size: int) -> bytes:
        """Return what came, once something has; nothing at the end of the connection."""
        deadline = self._deadline()
        while True:
            try:
                with self._lock:
                    return self._connection.recv(size)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
                self._await(error, deadline)

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        deadline, left = self._deadline(), memoryview(data)
        while left:
            try:
                with self._lock:
                    left = left[self._connection.send(left) :]
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
                self._await(error, deadline)

    def shutdown(self, how: int) -> None:
        """Close one way of the connection, or both; the other thread still reads by TLS."""
        socket.socket.shutdown(self._connection, how)

    def _deadline(self) -> float | None:
        return None if self._timeout is None else time.monotonic() + self._timeout

    def _await(self, error: ssl.SSLError, deadline: float | None) -> None:
        poll = select.poll()
        poll.register(self._connection, select.POLLOUT if isinstance(error, ssl.SSLWantWriteError) else select.POLLIN)
        left = None if deadline is None else max(deadline - time.monotonic(), 0.0)
        if not poll.poll(None if left is None else left * 1000):
            raise TimeoutError("timed out")
