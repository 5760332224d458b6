"""A server that answers each connection as a test wants, byte by byte."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from ssl import SSLContext, SSLError
from threading import Thread
from typing import NamedTuple

Answering = Callable[[socket.socket], None]


class RawServer(NamedTuple):
    """A server on loopback, and what it was sent."""

    port: int
    requests: list[str]
    """The heads of the requests, in the order in which they came."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"


def response(body: bytes | str = b"", status: str = "200 OK", headers: Sequence[str] = ()) -> Answering:
    """Return what sends one response and no more."""
    content = body.encode() if isinstance(body, str) else body
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", *headers])
    return lambda connection: connection.sendall(f"{head}\r\n\r\n".encode("latin-1") + content)


@contextmanager
def raw_server(*answers: Answering, tls: SSLContext | None = None) -> Iterator[RawServer]:
    """Serve one connection after the other; the last of the answers goes to all that follow."""
    listening = socket.create_server(("127.0.0.1", 0))
    if tls is not None:
        listening = tls.wrap_socket(listening, server_side=True)
    server = RawServer(listening.getsockname()[1], [])
    thread = Thread(target=_serve, args=(listening, server, answers), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        # A thread that waits in `accept` is woken by a connection alone.
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(10)


def _serve(listening: socket.socket, server: RawServer, answers: Sequence[Answering]) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except SSLError:
            # The client has refused the certificate.
            continue
        except OSError:
            return
        answer = answers[min(len(server.requests), len(answers) - 1)]
        with connection, suppress(OSError):
            server.requests.append(_head(connection))
            answer(connection)


def _head(connection: socket.socket) -> str:
    """Return the head of a request; of TLS, which has none, what came first."""
    received = b""
    while b"\r\n\r\n" not in received and not received.startswith(b"\x16"):
        part = connection.recv(65536)
        if not part:
            break
        received += part
    return received.decode("latin-1")
