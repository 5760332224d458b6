"""A way to Redis that counts what passes, and loses an answer where it is told to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self


class Proxy:
    """Listens on a port of its own and passes everything on, chunk by chunk."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listener]
        self._threads: list[threading.Thread] = []
        self._losing: tuple[bytes, Callable[[], object]] | None = None
        self.asked: list[bytes] = []
        self.answered: list[bytes] = []
        self.lost = 0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join()

    def forget(self) -> None:
        """Count from here."""
        self.asked.clear()
        self.answered.clear()

    def lose_answer(self, to: bytes, then: Callable[[], object] = lambda: None) -> None:
        """Have Redis do the next thing that has `to` in it; do `then`, and cut the connection instead of answering."""
        self._losing = (to, then)

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            self._sockets += [client, server]
            losing = threading.Event()
            self._start(self._pass_questions, client, server, losing)
            self._start(self._pass_answers, client, server, losing)

    def _pass_questions(self, client: socket.socket, server: socket.socket, losing: threading.Event) -> None:
        with suppress(OSError):
            while chunk := client.recv(1 << 20):
                self.asked.append(chunk)
                if self._losing is not None and self._losing[0] in chunk:
                    losing.set()
                server.sendall(chunk)
        _cut(client, server)

    def _pass_answers(self, client: socket.socket, server: socket.socket, losing: threading.Event) -> None:
        with suppress(OSError):
            while chunk := server.recv(1 << 20):
                if losing.is_set() and self._losing is not None:
                    (_, then), self._losing = self._losing, None
                    self.lost += 1
                    then()
                    break
                self.answered.append(chunk)
                client.sendall(chunk)
        _cut(client, server)


def _cut(*sockets: socket.socket) -> None:
    for each in sockets:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
