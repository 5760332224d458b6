"""A tab of a browser that is driven as a user's, and what is seen in it. It needs the extra `browser`."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from playwright.async_api import Error, Frame, Locator, Page

from idlewatch.doctor.browsers.browser_problems import Problems
from idlewatch.doctor.site import Site
from idlewatch.exceptions import IdleWatchError

POLL_INTERVAL = 0.05
"""Seconds between two looks at a page. Playwright itself would wait by `eval`, which policies forbid."""
LOAD_TIMEOUT = 20.0
"""Seconds that a page may take to load."""
CLICK_TIMEOUT = 3.0
"""Seconds until a button can be clicked."""
STATE = "() => window.idlewatch?.state ?? null"
HAS_CLIENT = "() => document.getElementById('idlewatch-client') !== null || window.idlewatch !== undefined"
HIDDEN = "() => getComputedStyle(document.body).display === 'none'"
TEXT = "() => document.body?.innerText ?? ''"


class BrowserFailed(IdleWatchError):
    """The browser did not do what it was asked to do. The message is the first line of what it says."""


class Loaded(NamedTuple):
    """A page that was loaded."""

    status: int | None
    path: str
    """Where it was found, without the query."""


class Tab:
    """A tab of a browser that has the session of a probe. Each call runs the site's event loop for its time only."""

    def __init__(self, site: Site, page: Page, problems: Problems) -> None:
        self._site = site
        self._page = page
        self.problems = problems
        self.sockets = 0
        """How many sockets have received a frame."""
        self.pages = 0
        """How many pages it has shown."""
        page.on("websocket", lambda socket: socket.once("framereceived", self._count_socket))
        page.on("framenavigated", self._count_page)

    def load(self, url: str) -> Loaded:
        """Load a page; raises `BrowserFailed`."""
        try:
            response = self._site.run(self._page.goto(url, timeout=LOAD_TIMEOUT * 1000, wait_until="domcontentloaded"))
        except Error as error:
            raise BrowserFailed(first_line(error)) from None
        return Loaded(None if response is None else response.status, self.path)

    @property
    def url(self) -> str:
        """The address of the page, without its query, which may hold a token."""
        return self._page.url.partition("?")[0].partition("#")[0]

    @property
    def path(self) -> str:
        """The address of the page, without its query, from the path on where it is of this site."""
        return self.url.removeprefix(self._site.address.origin) or "/"

    @property
    def has_client(self) -> bool:
        """Whether the page has idlewatch's element."""
        return bool(self._evaluate(HAS_CLIENT))

    @property
    def state(self) -> dict[str, Any] | None:
        """The state that the client has; None without a client, before its first frame, or between two pages."""
        found: dict[str, Any] | None = self._evaluate(STATE)
        return found

    @property
    def phase(self) -> str | None:
        """The phase of the session by the client; None where there is no state."""
        state = self.state
        return None if state is None else str(state["phase"])

    @property
    def is_connected(self) -> bool:
        """Whether the client runs and reaches the server; a moment later also whether by a socket."""
        state = self.state
        return state is not None and not state["offline"]

    @property
    def is_hidden(self) -> bool:
        """Whether the content of the page is hidden, as after an end."""
        return bool(self._evaluate(HIDDEN))

    @property
    def text(self) -> str:
        """The text of the page, in which a line break is a space."""
        return " ".join(str(self._evaluate(TEXT) or "").split())

    def shows(self, part: str) -> bool:
        """Return whether one of the client's parts, such as `dialog`, is visible."""
        try:
            return bool(self._site.run(self._part(part).is_visible()))
        except Error:
            return False

    def stay(self) -> None:
        """Click on “Stay signed in”, as a user does; raises `BrowserFailed`."""
        button = self._page.locator("[data-idlewatch=dialog] [data-idlewatch-part=stay]")
        try:
            self._site.run(button.click(timeout=CLICK_TIMEOUT * 1000))
        except Error as error:
            raise BrowserFailed(first_line(error)) from None

    def until(self, condition: Callable[[], Any], within: float) -> bool:
        """Wait until a condition is true, `within` seconds at most; return whether it is."""
        deadline = time.monotonic() + within
        while not condition():
            if time.monotonic() > deadline:
                return False
            # Meanwhile the page's events arrive.
            self._site.run(self._page.wait_for_timeout(POLL_INTERVAL * 1000))
        return True

    def save_picture(self, path: Path) -> None:
        """Save what is seen of the page."""
        with suppress(Error):
            self._site.run(self._page.screenshot(path=path, animations="disabled"))

    def _evaluate(self, function: str) -> Any:  # noqa: ANN401 - the value may be any JSON
        try:
            return self._site.run(self._page.evaluate(function))
        except Error:
            # The page is on its way elsewhere.
            return None

    def _part(self, name: str) -> Locator:
        return self._page.locator(f"[data-idlewatch={name}]")

    def _count_page(self, frame: Frame) -> None:
        self.pages += frame.parent_frame is None

    def _count_socket(self, _: object) -> None:
        self.sockets += 1


def first_line(error: Error) -> str:
    """Return the first line of a message; those below quote the page, or the log of the browser."""
    return error.message.partition("\n")[0].partition("?")[0]
