from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest

from idlewatch.doctor.clients.two_way_tls import TwoWayTls


class MadeUpTls(socket.socket):
    """A connection that says what it waits for, as one with TLS does."""

    def recv(self, *args: Any) -> bytes:
        try:
            return super().recv(*args)
        except BlockingIOError:
            raise ssl.SSLWantReadError from None

    def send(self, *args: Any) -> int:
        try:
            return super().send(*args)
        except BlockingIOError:
            raise ssl.SSLWantWriteError from None


@pytest.fixture
def ends() -> Iterator[tuple[TwoWayTls, socket.socket]]:
    one, other = socket.socketpair()
    with MadeUpTls(fileno=one.detach()) as made_up, other:
        yield TwoWayTls(made_up), other  # type: ignore[arg-type]


def test_what_is_sent_leaves_while_another_thread_reads(ends: tuple[TwoWayTls, socket.socket]):
    tls, other = ends
    came: list[bytes] = []
    reader = Thread(target=lambda: came.append(tls.recv(100)))
    reader.start()
    tls.sendall(b"a request")
    other.settimeout(5)
    assert other.recv(100) == b"a request"
    other.sendall(b"an answer")
    reader.join(5)
    assert came == [b"an answer"]


def test_all_of_a_long_text_is_sent(ends: tuple[TwoWayTls, socket.socket]):
    tls, other = ends
    text = b"0123456789" * 200_000
    came = bytearray()

    def read() -> None:
        while len(came) < len(text):
            came.extend(other.recv(65_536))

    reader = Thread(target=read)
    reader.start()
    tls.sendall(text)
    reader.join(5)
    assert bytes(came) == text


def test_a_read_ends_in_time_and_with_the_connection(ends: tuple[TwoWayTls, socket.socket]):
    tls, other = ends
    tls.settimeout(0.01)
    with pytest.raises(TimeoutError):
        tls.recv(100)
    other.close()
    assert tls.recv(100) == b""


def test_one_way_is_closed_without_the_other(ends: tuple[TwoWayTls, socket.socket]):
    tls, other = ends
    tls.shutdown(socket.SHUT_WR)
    assert other.recv(100) == b""
    other.sendall(b"the end")
    assert tls.recv(100) == b"the end"
    assert tls.fileno() > 0
