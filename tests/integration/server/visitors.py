"""Visitors of a real server: a browser's cookies, its requests and its sockets, without a browser."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing
from http.client import HTTPConnection, HTTPMessage
from http.cookies import SimpleCookie
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.support.serving import Server

WITHIN = 10.0
"""Seconds to wait for a frame: a busy machine is slow, a test that waits for one says how late is too late."""
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
FETCH = {"Sec-Fetch-Mode": "cors", "Accept": "*/*"}


class Response(NamedTuple):
    status: int
    headers: HTTPMessage
    text: str


class Visitor:
    """A user with a browser of their own, signed in if a name is given."""

    timeout = WITHIN
    session_cookie, csrf_cookie = "sessionid", "csrftoken"
    keys: ClassVar[set[str]] = set()
    """Every session key that any visitor was given."""

    def __init__(self, server: Server, name: str | None = None) -> None:
        self.server = server
        self.cookies: dict[str, str] = {}
        if name is not None:
            assert self.get(f"/enter/{name}/").status == 302
            assert self.key

    @property
    def key(self) -> str:
        return self.cookies.get(self.session_cookie, "")

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def get(self, path: str, headers: dict[str, str] = NAVIGATION, **where: Any) -> Response:
        return self.ask("GET", path, headers, **where)

    def post(self, path: str, body: str = "", headers: dict[str, str] = FETCH, **where: Any) -> Response:
        """Send something, as the site's own pages do."""
        own = {"Origin": self.server.origin, "X-CSRFToken": self.cookies.get(self.csrf_cookie, "")}
        return self.ask("POST", path, own | headers, body, **where)

    def sign_in(self, path: str, username: str, password: str, **headers: str) -> Response:
        """Fill in and send the form of a page."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(path).text)
        assert token is not None
        fields = {"csrfmiddlewaretoken": token[1], "username": username, "password": password, "next": "/"}
        sent = {"Origin": self.server.origin, "Content-Type": "application/x-www-form-urlencoded"} | headers
        return self.ask("POST", path, NAVIGATION | sent, urlencode(fields))

    def connection(self) -> tuple[HTTPConnection, dict[str, str]]:
        """Return a way to the server, not opened yet, and the headers that it needs."""
        return HTTPConnection("127.0.0.1", self.server.port, timeout=self.timeout), {}

    def ask(self, method: str, path: str, headers: dict[str, str], body: str | None = None, **where: Any) -> Response:
        http, needed = self.connection(**where)
        with closing(http) as connection:
            connection.request(method, path, body, headers | needed | {"Cookie": self.cookie})
            response = connection.getresponse()
            text = response.read().decode()
        for line in response.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        if self.key:
            self.keys.add(self.key)
        return Response(response.status, response.headers, text)

    @asynccontextmanager
    async def tab(self, cookie: str | None = None, **options: Any) -> AsyncIterator[Tab]:
        """Open a tab; it is closed as a browser does at the end."""
        tab = await self.open_tab(cookie, **options)
        try:
            yield tab
        finally:
            await tab.socket.close(1001)

    async def open_tab(self, cookie: str | None = None, **options: Any) -> Tab:
        """Open a tab and take the state that comes first."""
        tab = Tab(await self.connect(cookie, **options))
        tab.first = await tab.frame()
        return tab

    async def connect(
        self,
        cookie: str | None = None,
        *,
        url: str | None = None,
        more: Iterable[tuple[str, str]] = (),
        **options: Any,
    ) -> ClientConnection:
        settings = {"origin": self.server.origin, "proxy": None, "ping_interval": None, "max_size": None} | options
        headers = [("Cookie", self.cookie if cookie is None else cookie), *more]
        return await connect(url or self.server.socket_url(), additional_headers=headers, **settings)


class Tab:
    """One socket."""

    first: dict[str, Any]

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def frame(self) -> dict[str, Any]:
        async with asyncio.timeout(WITHIN):
            frame: dict[str, Any] = json.loads(await self.socket.recv())
            return frame

    async def say(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        await self.say(kind, **fields)
        return await self.frame()

    async def rest(self) -> tuple[list[dict[str, Any]], int | None]:
        """Return every frame that still comes, and the code with which the server closes."""
        frames = []
        try:
            while True:
                frames.append(await self.frame())
        except ConnectionClosed:
            return frames, self.socket.close_code

    def drop(self) -> None:
        """Vanish, as a killed browser or a lost network does."""
        self.socket.transport.abort()


def story(frames: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    """Return what a tab was told: phases and their reasons."""
    return [(frame["phase"], frame["reason"]) for frame in frames]
