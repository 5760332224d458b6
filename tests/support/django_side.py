"""A client of the doctor whose requests go straight to Django, as if through a proxy of a test's choice."""

from __future__ import annotations

from collections.abc import Mapping
from http.client import HTTPMessage, responses

from django.test import Client

from idlewatch.doctor.address import Address, parse_address
from idlewatch.doctor.clients.connection import NoAnswer, Route
from idlewatch.doctor.clients.http_client import Answer, HttpClient
from idlewatch.doctor.site import Options, Site


class DjangoSide(HttpClient):
    """Answers by the site of the tests.

    `proxied`: headers that a proxy sets, and None for those that it takes away; `appended`: what it appends to
    X-Forwarded-For.
    """

    def __init__(self, address: Address, appended: str = "", **proxied: str | None) -> None:
        super().__init__(address)
        self.appended = appended
        self.proxied = {name.replace("_", "-"): value for name, value in proxied.items()}
        self.route = Route("127.0.0.1", "127.0.0.1")
        self.asked: list[str] = []

    def request(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        cookies: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send a request to Django."""
        target = self.address.target(path)
        if target is None:
            raise NoAnswer("another origin gets no request")
        self.asked.append(target.partition("?")[0])
        sent = {"Host": self.address.netloc, **(headers or {}), **self.proxied}
        if self.appended:
            before = sent.get("X-Forwarded-For")
            sent["X-Forwarded-For"] = f"{before}, {self.appended}" if before else self.appended
        if cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        client = Client(headers={name: value for name, value in sent.items() if value is not None})
        response = client.generic(method, target, body or b"")
        message = HTTPMessage()
        for name, value in response.items():
            message[name] = value
        for cookie in response.cookies.values():
            message["Set-Cookie"] = cookie.OutputString()
        content = b"".join(response) if response.streaming else response.content
        url = self.address.origin + target
        return Answer(url, response.status_code, responses[response.status_code], message, content, 0.01)


def site_at(url: str, options: Options | None = None, appended: str = "", **proxied: str | None) -> Site:
    """Return the site of the tests under examination at an address; the caller closes it."""
    address = parse_address(url)
    site = Site((options or Options())._replace(address=address))
    site.client = DjangoSide(address, appended, **proxied)
    return site
