"""What the journey needs of a visitor's browser, whatever it is made of."""

from __future__ import annotations

import asyncio
import html
import json
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from html.parser import HTMLParser
from typing import Any, NamedTuple
from urllib.parse import urlencode, urljoin, urlsplit

from tests.integration.server.visitors import NAVIGATION, Response, Visitor
from tests.sites import limits
from tests.sites.row import Row
from tests.support.serving import Server

FIELDS = {"input", "select", "el-input"}
REDIRECTS = {301, 302, 303, 307, 308}
CONFIG = re.compile(r'id="idlewatch-client" data-config="([^"]*)"')


class Place(NamedTuple):
    """Where a visitor is, and what is to be read there."""

    url: str
    text: str

    @property
    def path(self) -> str:
        return urlsplit(self.url).path


async def until(condition: Callable[[], Any | Awaitable[Any]], what: str, within: float = 10.0) -> None:
    """Wait until a condition is true."""
    deadline = time.monotonic() + within
    while True:
        met = condition()
        if await met if isinstance(met, Awaitable) else met:
            return
        assert time.monotonic() < deadline, f"{what}: not within {within:g} s"
        await asyncio.sleep(0.05)


class Tab(ABC):
    """A tab that shows the site's page."""

    warned = False
    """Whether it has shown the warning."""

    @abstractmethod
    async def phase(self) -> str: ...

    @abstractmethod
    async def act(self) -> None:
        """Do what a user does in a page, without a request."""

    @abstractmethod
    async def extend(self) -> None:
        """Choose to stay."""

    @abstractmethod
    async def place(self) -> Place:
        """Return where the tab is led after the end."""

    async def until(self, phase: str, within: float = 10.0) -> None:
        async def is_so() -> bool:
            return await self.phase() == phase

        await until(is_so, f"The tab is {phase}", within)


class Device(ABC):
    """A browser with cookies of its own."""

    def __init__(self, row: Row, server: Server) -> None:
        self.row = row
        self.server = server

    @property
    def tells_closing(self) -> bool:
        """Whether the server notices that the browser was closed."""
        return self.row.closes

    @property
    def sign_in_url(self) -> str:
        """The sign-in that leads back to the page."""
        query = urlencode({"next": self.row.outside(self.row.page)})
        return self.server.url(f"{self.row.outside(self.row.sign_in.path)}?{query}")

    @abstractmethod
    async def sign_in(self) -> None:
        """Ask for the page, and fill in the form that comes instead."""

    @abstractmethod
    async def open(self) -> Tab: ...

    @abstractmethod
    async def poll(self) -> None:
        """Ask the server for something, as a script of the page does."""

    @abstractmethod
    async def close(self) -> None:
        """Close every tab, as a user does."""

    @abstractmethod
    async def visit(self) -> Place:
        """Ask for the page again, and return where that leads."""

    @abstractmethod
    async def cookies(self) -> dict[str, str]: ...

    @abstractmethod
    async def text(self) -> str:
        """Return what the page shows to which the sign-in led."""


class Guest(Visitor):
    """A visitor by bare requests, who drops the cookies that are deleted."""

    def __init__(self, row: Row, server: Server, cookies: Mapping[str, str]) -> None:
        super().__init__(server)
        self.row = row
        self.cookies = dict(cookies)

    def ask(self, method: str, path: str, headers: dict[str, str], body: str | None = None, **where: Any) -> Response:
        response = super().ask(method, path, headers, body, **where)
        self.cookies = {name: value for name, value in self.cookies.items() if value}
        return response

    def browse(self, url: str) -> tuple[Place, Response]:
        """Follow where a URL leads; redirects stay on the site, or are not followed to the sign-in elsewhere."""
        return self._follow(url, self.get(self._path(url)))

    def follow_link(self, place: Place, part: str) -> tuple[Place, Response]:
        """Follow the link of a page whose address has this part."""
        href = next(each for each in re.findall(r'href="([^"]*)"', place.text) if part in each)
        return self.browse(urljoin(place.url, html.unescape(href)))

    def send(self, place: Place, fields: Mapping[str, str]) -> tuple[Place, Response]:
        """Fill in and send the form of a page that has these fields."""
        action, hidden = next(form for form in forms(place.text) if fields.keys() <= form[1].keys())
        sent = {"Origin": self.server.origin, "Referer": self.server.url(self._path(place.url))}
        sent["Content-Type"] = "application/x-www-form-urlencoded"
        url = urljoin(place.url, action or place.url)
        body = urlencode(hidden | dict(fields))
        return self._follow(url, self.ask("POST", self._path(url), NAVIGATION | sent, body))

    def config(self) -> dict[str, Any]:
        """Return what the page tells its client."""
        place, response = self.browse(self.row.outside(self.row.page))
        found = CONFIG.search(place.text)
        assert found, f"{place.url} ({response.status}) has no client"
        config: dict[str, Any] = json.loads(html.unescape(found[1]))
        return config

    def socket_url(self, config: Mapping[str, Any]) -> str:
        """Return the address that the client connects to."""
        base = self.server.url(self.row.outside(self.row.page)).replace("http", "ws", 1)
        return f"{urljoin(base, config['socket'])}?for={config['token']}"

    def _follow(self, url: str, response: Response) -> tuple[Place, Response]:
        for _ in range(8):
            if response.status not in REDIRECTS:
                return Place(urljoin(self.server.url(), url), response.text), response
            url = urljoin(urljoin(self.server.url(), url), response.headers["Location"])
            if self.row.sign_in.host is not None and urlsplit(url).hostname == self.row.sign_in.host:
                return Place(url, ""), response
            assert urlsplit(url).netloc == f"127.0.0.1:{self.server.port}", url
            response = self.get(self._path(url))
        raise AssertionError(f"{url} leads in circles")

    @staticmethod
    def _path(url: str) -> str:
        parts = urlsplit(url)
        return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append((given.get("action", ""), {}))
        elif tag in FIELDS and self.found and given.get("type") not in {"checkbox", "radio", "submit"}:
            self.found[-1][1][given.get("name", "")] = given.get("value", "")


def forms(text: str) -> list[tuple[str, dict[str, str]]]:
    """Return the forms of a page: where each goes, and its fields."""
    parser = _Forms()
    parser.feed(text)
    return [(action, {name: value for name, value in fields.items() if name}) for action, fields in parser.found]


def brief(row: Row, server: Server, asked: Mapping[str, float] = limits.BRIEF) -> Guest:
    """Return a visitor whose next session has these limits."""
    return Guest(row, server, {limits.COOKIE: limits.cookie(dict(asked))})
