"""The doctor's sockets: what a tab sends and receives, and what comes in place of a socket."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from idlewatch.doctor.address import parse_address
from idlewatch.doctor.clients import socket_client
from idlewatch.doctor.clients.connection import NoAnswer
from idlewatch.doctor.clients.http_client import HttpClient
from idlewatch.doctor.clients.socket_client import Closed, Refused, open_socket
from tests.support.raw_http import raw_server, response

STATE = json.dumps({"type": "state", "phase": "ended"})


@contextmanager
def socket_server(handle: Callable[[ServerConnection], None]) -> Iterator[HttpClient]:
    """Serve sockets; yield a client of them."""
    with serve(handle, "127.0.0.1", 0) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield client_at(server.socket.getsockname()[1])
        server.shutdown()
        thread.join(10)


def handshake(port: int, url: str = "/", **options: Any) -> None:
    """Open a socket, and leave it."""
    with open_socket(client_at(port), url, origin=None, **options):
        pass


def client_at(port: int) -> HttpClient:
    return HttpClient(parse_address(f"http://127.0.0.1:{port}/"))


def test_a_socket_has_origin_cookies_and_user_agent_and_counts_as_a_request():
    seen: dict[str, Any] = {}

    def handle(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.update(connection.request.headers.raw_items(), path=connection.request.path)
        connection.send(connection.recv())

    with (
        socket_server(handle) as client,
        open_socket(client, "/ws/ü/", origin="https://a.example", cookies={"a": "b", "c": "d"}) as opened,
    ):
        opened.send({"type": "sync"})
        assert opened.receive(5) == {"type": "sync"}
        assert client.count == 1
    assert (seen["path"], seen["Origin"], seen["Cookie"]) == ("/ws/%C3%BC/", "https://a.example", "a=b; c=d")
    assert seen["User-Agent"] == "idlewatch-doctor"


def test_its_end_does_not_count_as_the_close_of_a_browser():
    codes: list[int | None] = []

    def handle(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            connection.recv(5)
        codes.append(connection.close_code)

    with socket_server(handle) as client, open_socket(client, "/", origin=None):
        pass
    assert codes == [4000]


def test_a_close_is_told_by_its_code():
    with (
        socket_server(lambda connection: connection.close(4401, "ended")) as client,
        open_socket(client, "/", origin=None) as opened,
        pytest.raises(Closed) as raised,
    ):
        opened.receive(5)
    assert raised.value.code == 4401
    assert str(raised.value) == "closed with 4401 ended"


def test_a_connection_that_just_ends_has_no_code():
    def handle(connection: ServerConnection) -> None:
        connection.socket.shutdown(socket.SHUT_RDWR)

    with (
        socket_server(handle) as client,
        open_socket(client, "/", origin=None) as opened,
        pytest.raises(Closed) as raised,
    ):
        opened.receive(5)
    assert raised.value.code is None


def test_a_phase_is_waited_for():
    def handle(connection: ServerConnection) -> None:
        for frame in ({"type": "notice"}, {"type": "state", "phase": "active"}, {"type": "state", "phase": "ended"}):
            connection.send(json.dumps(frame))
        connection.recv(5)

    with socket_server(handle) as client, open_socket(client, "/", origin=None) as opened:
        assert opened.receive_phase("ended", 5)["phase"] == "ended"
        with pytest.raises(TimeoutError):
            opened.receive_phase("active", 0.05)


@pytest.mark.parametrize("frame", ["<html>", "[1]", b"\xff\xfe\xfd", "[" * 100_000, "1"], ids=repr)
def test_a_frame_that_is_no_object_is_no_frame(frame: str | bytes):
    with (
        socket_server(lambda connection: connection.send(frame)) as client,
        open_socket(client, "/", origin=None) as opened,
        pytest.raises(NoAnswer, match="no JSON object"),
    ):
        opened.receive(5)


@pytest.mark.parametrize("status", ["404 Not Found", "403 Forbidden", "200 OK", "426 Upgrade Required"])
def test_another_answer_than_101_is_a_refusal(status: str):
    with raw_server(response("<html>", status)) as server, pytest.raises(Refused) as raised:
        handshake(server.port)
    assert (raised.value.status, str(raised.value)) == (int(status[:3]), status)


@pytest.mark.parametrize("location", ["/login/?token=secret", "https://evil.example/?secret", "//evil.example/"])
def test_a_redirect_is_a_refusal_and_is_not_followed(location: str):
    with (
        raw_server(response(status="302 Found", headers=[f"Location: {location}"])) as server,
        pytest.raises(Refused) as raised,
        open_socket(client_at(server.port), "/", origin=None, cookies={"a": "b"}),
    ):
        pass
    assert raised.value.status == 302
    assert str(raised.value) == f"302 Found to {location.partition('?')[0]}"
    assert len(server.requests) == 1


@pytest.mark.parametrize("sent", [b"", b"SSH-2.0\r\n\r\n", b"HTTP/1.1 101 Switching Protocols\r\n\r\n"])
def test_what_is_no_handshake_is_no_answer(sent: bytes):
    with raw_server(lambda sending: sending.sendall(sent)) as server, pytest.raises(NoAnswer):
        handshake(server.port)


def test_a_handshake_that_never_ends_is_cut_off(monkeypatch: pytest.MonkeyPatch):
    def wait(connection: socket.socket) -> None:
        connection.settimeout(2)
        connection.recv(1)

    monkeypatch.setattr(socket_client, "REQUEST_TIMEOUT", 0.2)
    with raw_server(wait) as server, pytest.raises(NoAnswer, match="within"):
        handshake(server.port)


def test_another_origin_gets_no_handshake():
    with raw_server(response()) as server, pytest.raises(NoAnswer, match="another origin"):
        handshake(server.port, "ws://evil.example/ws/", cookies={"a": "b"})
    assert server.requests == []


def test_a_server_that_never_stops_sending_is_not_waited_for():
    def flood(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                connection.send('{"type": "notice"}')

    with (
        socket_server(flood) as client,
        open_socket(client, "/", origin=None) as opened,
        pytest.raises(TimeoutError),
    ):
        opened.receive_phase("active", 0.2)
