"""Tabs of sessions with limits of their own, and what they exchange with the server."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, WebSocket

from tests.support.browsing import FLAGS, executable, sign_in, until
from tests.support.serving import Server

Limits = dict[str, float | None]

CALM: Limits = {"IDLE_TIMEOUT": 60, "WARN_BEFORE": 20, "HEARTBEAT": 0.5, "CLOSE_GRACE": None}
"""Limits under which nothing happens by itself during a test."""
SHORT: Limits = CALM | {"IDLE_TIMEOUT": 5, "WARN_BEFORE": 2.5}

Message = dict[str, Any]


class Wire:
    """The messages and frames of a page's sockets, from the first on."""

    def __init__(self, page: Page) -> None:
        self.sent: list[tuple[float, Message]] = []
        self.received: list[Message] = []
        self.sockets: list[WebSocket] = []
        page.on("websocket", self._listen)

    def of(self, kind: str) -> list[Message]:
        """Return the messages of one type that the page has sent."""
        return [message for _, message in self.sent if message["type"] == kind]

    def clear(self) -> None:
        self.sent.clear()
        self.received.clear()

    def _listen(self, socket: WebSocket) -> None:
        self.sockets.append(socket)
        socket.on("framesent", lambda text: self.sent.append((time.monotonic(), json.loads(text))))
        socket.on("framereceived", lambda text: self.received.append(json.loads(text)))


def allow(context: BrowserContext, limits: Limits) -> None:
    """Set the limits of the session that the next sign-in begins."""
    value = "|".join(f"{key}:{limit}" for key, limit in limits.items())
    context.add_cookies([{"name": "limits", "value": value, "domain": "127.0.0.1", "path": "/"}])


def visit(context: BrowserContext, url: str, limits: Limits | None = None) -> tuple[Page, Wire]:
    """Open a tab, signed in and connected; without limits, of the session that the browser has."""
    page = context.new_page()
    wire = Wire(page)
    if limits is None:
        page.goto(url)
    else:
        allow(context, limits)
        sign_in(page, url)
    connected(page)
    # The page's own scripts have run too.
    page.wait_for_load_state("domcontentloaded")
    return page, wire


def connected(page: Page) -> None:
    until(page, "window.idlewatch?.state && !window.idlewatch.state.offline")


def wait_for(page: Page, condition: Callable[[], Any], within: float = 5.0) -> None:
    """Wait until a condition is true; meanwhile the page's events are received."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"The condition is still false after {within:g} s"
        page.wait_for_timeout(20)


def end_reason(site: Server) -> str | None:
    """Return why the newest session has ended, None while it lives: by its record, as a request would keep it."""
    path = site.environ["DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as database:
        [reason] = database.execute("SELECT reason FROM idlewatch_watchedsession ORDER BY started DESC").fetchone()
    return reason or None


@contextmanager
def everyday(browser: Browser, directory: Path, *flags: str) -> Iterator[BrowserContext]:
    """Run a browser as users have it: tabs behind others are hidden, slowed down and may be frozen, pages are kept.

    Where Playwright starts the browser itself, every tab looks visible and focused, and the back/forward cache is off.
    """
    command = [executable(), *FLAGS, "--headless", "--remote-debugging-port=0", f"--user-data-dir={directory}", *flags]
    process = subprocess.Popen(
        [*command, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        port, path = _endpoint(directory / "DevToolsActivePort")
        there = browser.browser_type.connect_over_cdp(f"ws://127.0.0.1:{port}{path}", no_defaults=True)
        yield there.contexts[0]
        there.close()
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)


def _endpoint(file: Path) -> list[str]:
    deadline = time.monotonic() + 30
    while not file.exists() or len(file.read_text().split()) < 2:
        assert time.monotonic() < deadline, "Chromium did not start"
        time.sleep(0.05)
    return file.read_text().split()
