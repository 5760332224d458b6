"""What requests and sockets ask the database: each kind of them once, by one user; every process explains it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from http.cookiejar import CookieJar
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

from tests.tools.bench import load
from tests.tools.scale.site import MeasuredServer, Site

NAME, PASSWORD = "visitor", "long enough for a visitor"
TABS = 50
CALM_SECONDS = 2.0
HISTORY = "/admin/idlewatch/watchedsession/"
HISTORY_QUERIES = (
    "",
    "p=20",
    "reason__exact=idle",
    "reason__exact=revoked&p=20",
    "reason__exact=lost",
    "state=live&p=20",
    "state=ended&p=20",
    "user=1",
)
"""First and last pages of the session history; not a search, which reads all records that the filters leave."""


async def send(site: Site, servers: Sequence[MeasuredServer]) -> None:
    """Send the requests, and open sockets."""
    await asyncio.to_thread(_make_user)
    for server in servers:
        await asyncio.to_thread(_visit, server)
        tabs = await load.open_tabs(server.port, site.keys[:TABS])
        await asyncio.sleep(CALM_SECONDS)
        load.close(tabs)


def _make_user() -> None:
    from django.contrib.auth import get_user_model

    get_user_model().objects.create_superuser(NAME, password=PASSWORD)


class Browser:
    """A browser that keeps cookies."""

    def __init__(self, server: MeasuredServer) -> None:
        self.jar = CookieJar()
        self._opener = build_opener(HTTPCookieProcessor(self.jar))
        self._server = server

    @property
    def cookies(self) -> dict[str, str]:
        return {each.name: each.value or "" for each in self.jar}

    def get(self, path: str, **headers: str) -> None:
        """Request a page."""
        self._send(Request(self._server.url(path), headers=self._headers() | headers))

    def post(self, path: str, data: bytes | None = None, **fields: str) -> None:
        """Send a form, or other data."""
        headers = self._headers() | {"X-CSRFToken": self.cookies["csrftoken"], "Origin": self._server.origin}
        if data is not None:
            headers["Content-Type"] = "application/json"
        self._send(Request(self._server.url(path), data or urlencode(fields).encode(), headers))

    def _headers(self) -> dict[str, str]:
        return {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}

    def _send(self, request: Request) -> None:
        try:
            with self._opener.open(request, timeout=60) as answer:
                answer.read()
        except HTTPError as error:
            if error.code >= 500:
                raise RuntimeError(f"{request.full_url} was answered by {error.code}.") from error


def _visit(server: MeasuredServer) -> None:
    browser, other = Browser(server), Browser(server)
    for each in (other, browser):
        each.get("/accounts/login/")
        each.post("/accounts/login/", username=NAME, password=PASSWORD)
    browser.get("/")
    browser.get("/idlewatch/state/")
    browser.post("/idlewatch/message/", json.dumps({"type": "extend"}).encode())
    browser.get("/idlewatch/sessions/")
    browser.post("/idlewatch/sessions/", end="others")
    other.get("/")
    for path in ("/admin/idlewatch/live/", *(f"{HISTORY}?{query}" for query in HISTORY_QUERIES)):
        browser.get(path)
    browser.post(
        "/admin/password_change/", old_password=PASSWORD, new_password1=PASSWORD + "!", new_password2=PASSWORD + "!"
    )
    browser.post("/admin/password_change/", old_password=PASSWORD + "!", new_password1=PASSWORD, new_password2=PASSWORD)
    ended: Any = browser.cookies["sessionid"]
    browser.post("/accounts/logout/")
    browser.get("/", Cookie=f"sessionid={ended}")
    browser.get("/", Cookie="sessionid=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
