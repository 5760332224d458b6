"""TLS of the doctor's requests and sockets: certificates are judged as browsers judge them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from idlewatch.doctor.address import parse_address
from idlewatch.doctor.clients.connection import NoAnswer
from idlewatch.doctor.clients.http_client import HttpClient
from idlewatch.doctor.clients.socket_client import Refused, open_socket
from tests.support.certificates import self_signed, serving
from tests.support.raw_http import raw_server, response


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Have this machine trust a certificate."""
    return lambda path: monkeypatch.setenv("SSL_CERT_FILE", str(path))


def client_at(port: int) -> HttpClient:
    return HttpClient(parse_address(f"https://localhost:{port}/"))


def handshake(port: int) -> None:
    with open_socket(client_at(port), "/", origin=None, cookies={"sessionid": "k"}):
        pass


def test_a_certificate_that_is_trusted_is_taken(trusted: Callable[[Path], None], tmp_path: Path):
    path = self_signed(tmp_path, "localhost")
    trusted(path)
    with raw_server(response("secure", "418 I'm a teapot"), tls=serving(path)) as server:
        assert client_at(server.port).request("/", cookies={"sessionid": "k"}).text == "secure"
        with pytest.raises(Refused, match="418"):
            handshake(server.port)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("host", "valid_for", "is_trusted", "words"),
    [
        ("localhost", timedelta(days=1), False, "self-signed certificate"),
        ("localhost", timedelta(days=-1), True, "certificate has expired"),
        ("other.example", timedelta(days=1), True, "certificate is not valid for 'localhost'"),
    ],
)
def test_another_gets_no_request_and_is_told(
    host: str, valid_for: timedelta, is_trusted: bool, words: str, trusted: Callable[[Path], None], tmp_path: Path
):
    path = self_signed(tmp_path, host, valid_for)
    if is_trusted:
        trusted(path)
    with raw_server(response(), tls=serving(path)) as server:
        with pytest.raises(NoAnswer, match=f"the certificate of localhost:{server.port} is not valid: .*{words}"):
            client_at(server.port).request("/", cookies={"sessionid": "k"})
        with pytest.raises(NoAnswer, match=words):
            handshake(server.port)
    assert server.requests == []
