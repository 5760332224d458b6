"""The sockets of the doctor: what a tab of a browser would send and receive."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from idlewatch.doctor.http_client import REQUEST_TIMEOUT, USER_AGENT, HttpClient, NoAnswer

CLOSE_TIMEOUT = 2.0
"""Seconds that the closing handshake may take."""
SILENT = logging.Logger("websockets", level=logging.CRITICAL + 1)  # noqa: LOG001 - no settings must reach it
"""Logs nothing: a project that logs everything would have the cookie of a handshake in its log."""


class Refused(NoAnswer):
    """The handshake of a socket was refused."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}".strip())
        self.status = status
        """The HTTP status that came in place of 101."""


class Closed(NoAnswer):
    """The socket was closed."""

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(f"closed with {code if code is not None else 'no close frame'} {reason}".strip())
        self.code = code
        """The close code; None where the connection just ended (1006)."""


class TabSocket:
    """An open socket of a tab."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    def receive(self, timeout: float) -> Mapping[str, Any]:
        """Return the next frame, within `timeout` seconds.

        Raises:
            TimeoutError: none came.
            Closed: the socket is closed.
        """
        try:
            received = self._connection.recv(timeout)
        except ConnectionClosed as error:
            code = None if error.rcvd is None else error.rcvd.code
            raise Closed(code, "" if error.rcvd is None else error.rcvd.reason) from None
        frame = json.loads(received)
        if not isinstance(frame, dict):
            raise NoAnswer(f"a frame that is no object came: {type(frame).__name__}")
        return frame

    def receive_phase(self, phase: str, timeout: float) -> Mapping[str, Any]:
        """Return the next state frame of a phase, within `timeout` seconds; raises as `receive` does."""
        deadline = time.monotonic() + timeout
        while True:
            frame = self.receive(max(deadline - time.monotonic(), 0.001))
            if frame.get("type") == "state" and frame.get("phase") == phase:
                return frame

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message.

        Raises:
            Closed: the socket is closed.
        """
        try:
            self._connection.send(json.dumps(message))
        except ConnectionClosed as error:
            raise Closed(None if error.rcvd is None else error.rcvd.code, "") from None


@contextmanager
def open_socket(
    client: HttpClient, url: str, *, origin: str | None, cookies: Mapping[str, str] | None = None
) -> Iterator[TabSocket]:
    """Open a socket at a URL of the client's address; only `Site.socket_as` gives cookies.

    Raises:
        Refused: another answer than 101 came.
        NoAnswer: no connection, a broken one, or no answer in time.
    """
    client.note_request()
    assert client.address.has(url), "another origin gets no handshake"  # noqa: S101
    target = client.address.url(url).replace("http", "ws", 1)
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())} if cookies else None
    try:
        connection = connect(
            target,
            origin=origin,  # type: ignore[arg-type]
            additional_headers=headers,
            user_agent_header=USER_AGENT,
            open_timeout=REQUEST_TIMEOUT,
            close_timeout=CLOSE_TIMEOUT,
            proxy=None,
            logger=SILENT,
        )
    except InvalidStatus as error:
        raise Refused(error.response.status_code, error.response.reason_phrase) from None
    except (OSError, TimeoutError, InvalidHandshake, ConnectionClosed, EOFError) as error:
        raise NoAnswer(f"no handshake with {client.address.netloc}: {error or type(error).__name__}") from None
    try:
        yield TabSocket(connection)
    finally:
        # 4000: the page starts a navigation. So the end of the socket does not count as the close of the browser.
        connection.close(4000)
