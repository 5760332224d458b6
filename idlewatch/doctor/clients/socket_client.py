"""The sockets of the doctor: what a tab of a browser would send and receive."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from ssl import SSLSocket
from typing import Any

from django.utils.encoding import iri_to_uri
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from idlewatch.doctor.address import Address
from idlewatch.doctor.clients.connection import REQUEST_TIMEOUT, NoAnswer, secured, why_not
from idlewatch.doctor.clients.http_client import MAX_REASON, USER_AGENT, HttpClient, shown
from idlewatch.doctor.clients.two_way_tls import TwoWayTls

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
        try:
            frame = json.loads(received)
        except (ValueError, RecursionError):
            frame = None
        if not isinstance(frame, dict):
            raise NoAnswer("a frame came that is no JSON object")
        return frame

    def receive_phase(self, phase: str, timeout: float) -> Mapping[str, Any]:
        """Return the next state frame of a phase, within `timeout` seconds; raises as `receive` does."""
        deadline = time.monotonic() + timeout
        while True:
            # A server that never stops sending is not waited for either.
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            frame = self.receive(left)
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


def pass_time(socket: TabSocket, seconds: float) -> None:
    """Wait so long, and read what comes meanwhile; raises as `receive` does, but `TimeoutError`."""
    deadline = time.monotonic() + seconds
    with suppress(TimeoutError):
        while (left := deadline - time.monotonic()) > 0:
            socket.receive(left)


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
    target = client.address.target(url)
    if target is None:
        raise NoAnswer("another origin gets no handshake")
    with ExitStack() as stack:
        try:
            deadline = time.monotonic() + REQUEST_TIMEOUT
            plain = stack.enter_context(closing(client.connect(deadline, with_cookie=bool(cookies))))
            secure = stack.enter_context(closing(secured(client.address, plain, deadline)))
            connection = stack.enter_context(
                connect(
                    # Whether it has TLS is settled.
                    f"ws://{client.address.netloc}{iri_to_uri(target)}",
                    # With a socket of its own it follows no redirect: browsers follow none either.
                    sock=TwoWayTls(secure) if isinstance(secure, SSLSocket) else secure,  # type: ignore[arg-type]
                    origin=origin,  # type: ignore[arg-type]
                    additional_headers=_cookie_header(cookies),
                    user_agent_header=USER_AGENT,
                    open_timeout=REQUEST_TIMEOUT,
                    close_timeout=CLOSE_TIMEOUT,
                    # Browsers send none, and a proxy would count them.
                    ping_interval=None,
                    proxy=None,
                    logger=SILENT,
                )
            )
        except (OSError, EOFError, ValueError, WebSocketException) as error:
            raise _refusal(client.address, error) from None
        # 4000: the page starts a navigation. So the end of the socket does not count as the close of the browser.
        stack.callback(connection.close, 4000)
        yield TabSocket(connection)


def _cookie_header(cookies: Mapping[str, str] | None) -> Mapping[str, str] | None:
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())} if cookies else None


def _refusal(address: Address, error: Exception) -> NoAnswer:
    """Return what an error of a handshake is called here."""
    chain = (error, error.__cause__, error.__context__)
    status = next((each for each in chain if isinstance(each, InvalidStatus)), None)
    if status is None:
        return NoAnswer(why_not(address, error))
    location = status.response.headers.get_all("Location")
    to = f" to {shown(location[0])}" if location else ""
    return Refused(status.response.status_code, status.response.reason_phrase[:MAX_REASON] + to)
