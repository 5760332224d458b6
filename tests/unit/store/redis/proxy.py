"""A way to Redis that counts what passes, and loses an answer where it is told to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Self

CHUNK = 1 << 20


class Proxy(ThreadingTCPServer):
    """Listens on a port of its own and passes everything on, chunk by chunk."""

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.target = ("127.0.0.1", port)
        self.url = f"redis://127.0.0.1:{self.server_address[1]}/0"
        self.sockets: list[socket.socket] = []
        self.losing: tuple[bytes, Callable[[], object]] | None = None
        self.asked: list[bytes] = []
        self.answered: list[bytes] = []
        self.lost = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.02,)).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        _cut(*self.sockets)
        self.server_close()

    def forget(self) -> None:
        """Count from here."""
        self.asked.clear()
        self.answered.clear()

    def lose_answer(self, to: bytes, then: Callable[[], object] = lambda: None) -> None:
        """Have Redis do the next thing that has `to` in it; do `then`, and cut the connection instead of answering."""
        self.losing = (to, then)


class _Connection(BaseRequestHandler):
    server: Proxy

    def handle(self) -> None:
        with socket.create_connection(self.server.target) as redis:
            self.server.sockets += [self.request, redis]
            losing = threading.Event()
            answers = threading.Thread(target=self._pass_answers, args=(redis, losing))
            answers.start()
            with suppress(OSError):
                while chunk := self.request.recv(CHUNK):
                    self.server.asked.append(chunk)
                    if self.server.losing is not None and self.server.losing[0] in chunk:
                        losing.set()
                    redis.sendall(chunk)
            _cut(self.request, redis)
            answers.join()

    def _pass_answers(self, redis: socket.socket, losing: threading.Event) -> None:
        with suppress(OSError):
            while chunk := redis.recv(CHUNK):
                if losing.is_set() and self.server.losing is not None:
                    (_, then), self.server.losing = self.server.losing, None
                    self.server.lost += 1
                    then()
                    break
                self.server.answered.append(chunk)
                self.request.sendall(chunk)
        _cut(self.request, redis)


def _cut(*sockets: socket.socket) -> None:
    for each in sockets:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
