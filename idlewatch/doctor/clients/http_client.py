"""HTTP requests of the doctor: each over a connection of its own, so that all processes get some, without redirects."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Mapping
from contextlib import ExitStack, closing
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPMessage
from socket import socket
from typing import Any, NamedTuple

from django.utils.encoding import iri_to_uri

from idlewatch.core.probes import DOCTOR_USER_AGENT
from idlewatch.doctor.address import Address
from idlewatch.doctor.clients.connection import (
    REQUEST_TIMEOUT,
    BoundedSocket,
    NoAnswer,
    Route,
    connect,
    route_of,
    secured,
    why_not,
)

__all__ = ["FETCH", "NAVIGATION", "REQUEST_TIMEOUT", "Answer", "HttpClient", "NoAnswer"]

MAX_BODY = 5_000_000
"""Bytes of a body that are read."""
MAX_REASON, MAX_URL = 60, 200
"""Characters that are shown of a reason, and of where an answer redirects."""
MAX_REQUESTS = 200
"""Requests and handshakes of one run, at most: it is meant for sites in production."""
MAX_RETRIES = 2
"""How often a request is sent again that a limit on requests refused."""
USUAL_PAUSE, MAX_PAUSE = 1.0, 5.0
"""Seconds before that: where the site names none, and at most."""
USER_AGENT = DOCTOR_USER_AGENT
NAVIGATION: Mapping[str, str] = {
    "Accept": "text/html,application/xhtml+xml",
    "Accept-Encoding": "gzip",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Site": "none",
}
"""The headers by which a browser marks that a person opens a page."""
FETCH: Mapping[str, str] = {
    "Accept": "*/*",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Site": "same-origin",
}
"""The headers by which a browser marks what a script fetches."""


class Answer(NamedTuple):
    """What came back."""

    url: str
    status: int
    reason: str
    headers: HTTPMessage
    body: bytes
    """Decompressed; its headers still tell of it."""
    elapsed: float
    """Seconds."""

    def __repr__(self) -> str:
        return f"<Answer {self.status}>"

    @property
    def text(self) -> str:
        """The body as text."""
        try:
            return self.body.decode(self.headers.get_content_charset("utf-8"), errors="replace")
        except (LookupError, UnicodeError):
            # A charset that does not exist, or one that replaces nothing.
            return self.body.decode(errors="replace")

    @property
    def json_object(self) -> Mapping[str, Any] | None:
        """The JSON object that is the body; None if it is none."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    @property
    def summary(self) -> str:
        """Status, reason, and where it redirects, without the query, which may hold a token."""
        location = self.headers.get("Location")
        return f"{self.status} {self.reason[:MAX_REASON]}{f' to {shown(location)}' if location else ''}".strip()


class HttpClient:
    """Sends requests to one origin."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.count = 0
        """How many requests were sent; handshakes of sockets are added."""
        self.route: Route | None = None
        """The two ends of the latest connection; None before there was one."""

    def request(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        cookies: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send a request and return the answer. Only `Site.request_as` gives cookies.

        A site that limits how often it is asked (429) is asked again, a little later.

        Raises:
            NoAnswer: no connection, a broken one, or no answer in time.
        """
        answer = self._send(path, method, headers or {}, cookies or {}, body)
        for _ in range(MAX_RETRIES):
            if answer.status != HTTPStatus.TOO_MANY_REQUESTS:
                break
            time.sleep(_pause_before_retry(answer))
            answer = self._send(path, method, headers or {}, cookies or {}, body)
        return answer

    def _send(
        self, path: str, method: str, headers: Mapping[str, str], cookies: Mapping[str, str], body: bytes | None
    ) -> Answer:
        self.note_request()
        target = self.address.target(path)
        if target is None:
            raise NoAnswer("another origin gets no request")
        sent = {"Host": self.address.netloc, "User-Agent": USER_AGENT, "Connection": "close", **headers}
        if cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        began = time.monotonic()
        deadline = began + REQUEST_TIMEOUT
        with ExitStack() as stack:
            plain = stack.enter_context(closing(self.connect(deadline, with_cookie=bool(cookies))))
            try:
                connection = HTTPConnection(self.address.host)
                secure = stack.enter_context(closing(secured(self.address, plain, deadline)))
                connection.sock = BoundedSocket(secure, deadline)
                connection.request(method, iri_to_uri(target), body=body, headers=sent)
                response = connection.getresponse()
                content = _decompressed(response.read(MAX_BODY), response.headers)
            except (OSError, HTTPException, ValueError, zlib.error) as error:
                raise NoAnswer(why_not(self.address, error)) from None
        elapsed = time.monotonic() - began
        url = self.address.origin + target
        return Answer(url, response.status, response.reason, response.headers, content, elapsed)

    def connect(self, deadline: float, *, with_cookie: bool) -> socket:
        """Connect without TLS until `deadline`; raises `NoAnswer`."""
        connection = connect(self.address, deadline, with_cookie=with_cookie)
        self.route = route_of(connection)
        return connection

    def note_request(self) -> None:
        """Count a request or a handshake."""
        self.count += 1
        if self.count > MAX_REQUESTS:
            raise NoAnswer(f"the doctor sends no more than {MAX_REQUESTS} requests")


def shown(url: str) -> str:
    """Return a URL as it may be printed: without the query, which may hold a token, and without a password."""
    head = url.partition("?")[0].partition("#")[0]
    scheme, slashes, rest = head.rpartition("//")
    host, slash, path = rest.partition("/")
    return f"{scheme}{slashes}{host.rpartition('@')[2] if slashes else host}{slash}{path}"[:MAX_URL]


def _pause_before_retry(answer: Answer) -> float:
    """Return for how many seconds a site wants to be left alone, up to a limit."""
    asked = answer.headers.get("Retry-After", "")
    return min(float(asked), MAX_PAUSE) if asked.isascii() and asked.isdigit() else USUAL_PAUSE


def _decompressed(content: bytes, headers: HTTPMessage) -> bytes:
    if headers.get("Content-Encoding", "").lower() != "gzip":
        return content
    return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(content, MAX_BODY)
