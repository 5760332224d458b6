"""What goes wrong in a page of a browser that concerns idlewatch: errors in the console, and requests that fail."""

from __future__ import annotations

import re
from collections.abc import Sequence

from playwright.async_api import ConsoleMessage, Error, Page, Request, Response

OURS = re.compile(r"idlewatch", re.IGNORECASE)
"""What the address of each file and endpoint of idlewatch has in it, and each of its messages."""
QUERY = re.compile(r"[?#][^\s'\"]*")
"""The query of an address, which may hold a token."""
MAX_PROBLEMS = 5
ABORTED = "net::ERR_ABORTED"
"""How a request fails whose page goes elsewhere."""


class Problems:
    """Notes problems of a page from its first request on, until it is told to stop."""

    def __init__(self, page: Page) -> None:
        self._found: dict[str, None] = {}
        self._is_noting = True
        page.on("console", self._note_console)
        page.on("pageerror", self._note_error)
        page.on("requestfailed", self._note_failed)
        page.on("response", self._note_response)

    @property
    def found(self) -> Sequence[str]:
        """The first problems, each once, without the queries of addresses."""
        return list(self._found)[:MAX_PROBLEMS]

    def stop(self) -> None:
        """Note nothing more: what follows is an end, at which requests are refused as they should be."""
        self._is_noting = False

    def note(self, text: str, about: str = "") -> None:
        """Note a problem if it concerns idlewatch by its text or by the address that it is about."""
        if self._is_noting and OURS.search(text + about):
            self._found[QUERY.sub("", text)] = None

    def _note_console(self, message: ConsoleMessage) -> None:
        # What failed to load is noted with its status, as a response.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.note(message.text, message.location.get("url", ""))

    def _note_error(self, error: Error) -> None:
        self.note(f"{error.name}: {error.message}", error.stack or "")

    def _note_failed(self, request: Request) -> None:
        if request.failure != ABORTED:
            self.note(f"{request.method} {request.url}: {request.failure or 'failed'}")

    def _note_response(self, response: Response) -> None:
        if response.status >= 400:
            self.note(f"{response.request.method} {response.url}: {response.status} {response.status_text}")
