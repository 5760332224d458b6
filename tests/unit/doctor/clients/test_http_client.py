"""The doctor's requests: to one origin, bounded in time and size, with errors in plain words."""

from __future__ import annotations

import gzip
import socket
import ssl
import time
from typing import Any

import pytest

from idlewatch.doctor.address import parse_address
from idlewatch.doctor.clients import connection, http_client
from idlewatch.doctor.clients.connection import NoAnswer, why_not
from idlewatch.doctor.clients.http_client import MAX_REQUESTS, HttpClient, shown
from tests.support.raw_http import raw_server, response

ADDRESS = parse_address("https://example.com/")


def client_of(url: str) -> HttpClient:
    return HttpClient(parse_address(url))


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> float:
    """Seconds that an answer may take in this test."""
    monkeypatch.setattr(http_client, "REQUEST_TIMEOUT", 0.3)
    return 0.3


def test_an_answer_has_status_headers_body_and_text():
    with raw_server(response("né", headers=["Content-Type: text/html; charset=utf-8", "X-A: b"])) as server:
        answer = client_of(server.url).request("/a b?c=ü")
    assert (answer.status, answer.headers["X-A"], answer.text, answer.summary) == (200, "b", "né", "200 OK")
    [head] = server.requests
    assert head.startswith("GET /a%20b?c=%C3%BC HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{server.port}\r\n" in head
    assert "Cookie" not in head


@pytest.mark.parametrize("charset", ["utf-8", "hex", "idna", "undefined", "no-such-charset", "utf-8; a=b"])
def test_a_text_is_shown_whatever_its_charset_is_called(charset: str):
    with raw_server(response(b"text \xff", headers=[f"Content-Type: text/html; charset={charset}"])) as server:
        assert client_of(server.url).request("/").text == "text \ufffd"


LIMITED = response(status="429 Too Many Requests", headers=["Retry-After: 0"])


def test_a_request_that_a_limit_refused_is_sent_again_a_little_later():
    with raw_server(LIMITED, LIMITED, response("at last")) as server:
        client = client_of(server.url)
        answer = client.request("/", headers={"X-A": "b"})
    assert (answer.text, client.count) == ("at last", 3)
    assert len(set(server.requests)) == 1


def test_a_limit_that_stays_is_the_answer(monkeypatch: pytest.MonkeyPatch):
    pauses: list[float] = []
    monkeypatch.setattr(http_client.time, "sleep", pauses.append)
    endless = response(status="429 Too Many Requests", headers=["Retry-After: 3600"])
    with raw_server(endless, response(status="429 Too Many Requests")) as server:
        assert client_of(server.url).request("/").status == 429
    assert pauses == [5.0, 1.0]


def test_a_body_is_decompressed_also_if_that_was_not_asked_for():
    headers = ["Content-Encoding: gzip", "Content-Type: text/css"]
    with raw_server(response(gzip.compress(b"body {}"), headers=headers)) as server:
        assert client_of(server.url).request("/").body == b"body {}"


def test_a_body_that_is_not_compressed_as_it_claims_is_no_answer():
    with (
        raw_server(response(b"body {}", headers=["Content-Encoding: gzip"])) as server,
        pytest.raises(NoAnswer, match="not compressed as its Content-Encoding claims"),
    ):
        client_of(server.url).request("/")


@pytest.mark.parametrize(
    ("body", "found"),
    [(b'{"a": 1}', {"a": 1}), (b"[]", None), (b"<h1>", None), (b"\xff", None), (b"", None), (b"[" * 100_000, None)],
)
def test_a_json_object_is_found_in_a_body(body: bytes, found: object):
    with raw_server(response(body)) as server:
        assert client_of(server.url).request("/").json_object == found


def test_a_redirect_is_not_followed_and_its_query_is_not_shown():
    to = "https://ann:secret@evil.example/login/?token=secret#secret"
    with raw_server(response(status="302 Found", headers=[f"Location: {to}"])) as server:
        answer = client_of(server.url).request("/", cookies={"sessionid": "k"})
    assert answer.summary == "302 Found to https://evil.example/login/"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("/a/?secret", "/a/"),
        ("//ann:secret@host/a", "//host/a"),
        ("https://host/a@b/c", "https://host/a@b/c"),
        ("?secret", ""),
        ("https://host", "https://host"),
    ],
)
def test_what_is_shown_of_a_url(url: str, what: str):
    assert shown(url) == what


@pytest.mark.parametrize("path", ["//evil.example/", "https://evil.example/", "http://127.0.0.1:1/"])
def test_another_origin_gets_no_request(path: str):
    with raw_server(response()) as server, pytest.raises(NoAnswer, match="another origin"):
        client_of(server.url).request(path, cookies={"sessionid": "k"})
    assert server.requests == []


@pytest.mark.parametrize("cookie", ["a\r\nX: y", "a\nb", "\u2028€"])
def test_nothing_is_put_into_headers_that_would_end_them(cookie: str):
    with raw_server(response()) as server, pytest.raises(NoAnswer):
        client_of(server.url).request("/", cookies={"sessionid": cookie})
    assert "X: y" not in "".join(server.requests)


def test_an_answer_that_never_ends_is_cut_off_by_its_time(short: float):
    def drip(head: bytes) -> Any:
        def answer(sending: socket.socket) -> None:
            sending.sendall(head)
            for _ in range(200):
                sending.sendall(b"x")
                time.sleep(0.02)

        return answer

    for head in (b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-A: ", b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 9):
        began = time.monotonic()
        with raw_server(drip(head)) as server, pytest.raises(NoAnswer, match="within"):
            client_of(server.url).request("/")
        assert time.monotonic() - began < short + 2


def test_an_answer_without_end_is_cut_off_by_its_size(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(http_client, "MAX_BODY", 1000)
    with raw_server(lambda sending: sending.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000)) as server:
        assert len(client_of(server.url).request("/").body) == 1000


@pytest.mark.parametrize("sent", [b"", b"\x15\x03\x01\x00\x02\x02\x50", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200])
def test_what_is_no_http_is_no_answer(sent: bytes):
    with raw_server(lambda sending: sending.sendall(sent)) as server, pytest.raises(NoAnswer):
        client_of(server.url).request("/")


def test_where_nothing_listens_that_is_what_it_says():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NoAnswer, match=f"nothing listens at 127.0.0.1:{port}"):
        client_of(f"http://127.0.0.1:{port}/").request("/")


def test_plain_http_at_an_address_with_tls_is_told():
    with (
        raw_server(response(status="400 Bad Request")) as server,
        pytest.raises(NoAnswer, match=f"127.0.0.1:{server.port} speaks no TLS"),
    ):
        client_of(server.url.replace("http", "https")).request("/")


@pytest.mark.parametrize(
    "message",
    ["self-signed certificate", "certificate has expired", "Hostname mismatch, certificate is not valid for 'a'."],
)
def test_what_is_wrong_with_a_certificate_is_told(message: str):
    error = ssl.SSLCertVerificationError(1, "failed")
    error.verify_message = message
    assert why_not(ADDRESS, error) == f"the certificate of example.com is not valid: {message}"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), "the name example.com has no address"),
        (TimeoutError(), "within 10 s"),
        (ssl.SSLEOFError(8, "EOF"), "TLS with example.com failed"),
        (OSError(), "OSError"),
    ],
)
def test_errors_are_in_plain_words(error: Exception, words: str):
    assert words in why_not(ADDRESS, error)


def test_a_name_that_only_sounds_like_this_machine_gets_no_cookie(monkeypatch: pytest.MonkeyPatch):
    elsewhere = ("203.0.113.9", 80)
    client = client_of("http://a.localhost/")
    with raw_server(response()) as server:

        class Connection(socket.socket):
            def getpeername(self) -> Any:
                return elsewhere

        def create(*_: Any) -> socket.socket:
            made = Connection()
            made.connect(("127.0.0.1", server.port))
            return made

        monkeypatch.setattr(connection.socket, "create_connection", create)
        with pytest.raises(NoAnswer, match="gets no cookie without TLS"):
            client.request("/", cookies={"sessionid": "k"})
        assert client.request("/").status == 200
    assert "sessionid" not in "".join(server.requests)


def test_both_ends_of_the_latest_connection_are_known():
    with raw_server(response()) as server:
        client = client_of(server.url)
        assert client.route is None
        client.request("/")
    assert client.route == ("127.0.0.1", "127.0.0.1")


def test_a_run_sends_so_many_requests_and_no_more():
    with raw_server(response()) as server:
        client = client_of(server.url)
        client.count = MAX_REQUESTS - 1
        client.request("/")
        with pytest.raises(NoAnswer, match="no more than"):
            client.request("/")
    assert len(server.requests) == 1
