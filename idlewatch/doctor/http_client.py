"""HTTP requests of the doctor: each over a connection of its own, so that all processes get some, without redirects."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPSConnection
from typing import NamedTuple

from idlewatch.core.probes import DOCTOR_USER_AGENT
from idlewatch.doctor.address import Address
from idlewatch.exceptions import IdleWatchError

REQUEST_TIMEOUT = 10.0
"""Seconds that an answer may take."""
MAX_BODY = 5_000_000
"""Bytes of a body that are read."""
MAX_REQUESTS = 200
"""Requests and handshakes of one run, at most: it is meant for sites in production."""
USER_AGENT = DOCTOR_USER_AGENT
NAVIGATION: Mapping[str, str] = {
    "Accept": "text/html,application/xhtml+xml",
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


class NoAnswer(IdleWatchError):
    """Nothing answers at this address."""


class Answer(NamedTuple):
    """What came back."""

    url: str
    status: int
    reason: str
    headers: HTTPMessage
    body: bytes
    elapsed: float
    """Seconds."""

    def __repr__(self) -> str:
        return f"<Answer {self.status}>"

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(self.headers.get_content_charset("utf-8"), errors="replace")

    @property
    def summary(self) -> str:
        """Status, reason, and where it redirects, without the query, which may hold a token."""
        location = self.headers.get("Location")
        to = f" to {location.partition('?')[0]}" if location else ""
        return f"{self.status} {self.reason}{to}"


class HttpClient:
    """Sends requests to one origin."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.count = 0
        """How many requests were sent; handshakes of sockets are added."""

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

        Raises:
            NoAnswer: no connection, a broken one, or no answer in time.
        """
        self.note_request()
        sent = {"User-Agent": USER_AGENT, "Connection": "close", **(headers or {})}
        if cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        url = self.address.url(path)
        assert self.address.has(url), "another origin gets no request"  # noqa: S101
        connection, began = self._connection(), time.monotonic()
        try:
            connection.request(method, url.removeprefix(self.address.origin) or "/", body=body, headers=sent)
            response = connection.getresponse()
            content = response.read(MAX_BODY)
        except ssl.SSLError as error:
            raise NoAnswer(f"TLS with {self.address.netloc} failed: {error.reason or error}") from None
        except (OSError, HTTPException) as error:
            raise NoAnswer(f"{self.address.netloc} did not answer: {error or type(error).__name__}") from None
        finally:
            connection.close()
        return Answer(url, response.status, response.reason, response.headers, content, time.monotonic() - began)

    def note_request(self) -> None:
        """Count a request or a handshake."""
        self.count += 1
        if self.count > MAX_REQUESTS:
            raise NoAnswer(f"the doctor sends no more than {MAX_REQUESTS} requests")

    def _connection(self) -> HTTPConnection:
        host, port = self.address.host.strip("[]"), self.address.port
        if self.address.scheme == "https":
            return HTTPSConnection(host, port, timeout=REQUEST_TIMEOUT, context=ssl.create_default_context())
        return HTTPConnection(host, port, timeout=REQUEST_TIMEOUT)
