"""A real page with a server that the test plays over its socket."""

from __future__ import annotations

import json
import re
from typing import Any

from playwright.sync_api import BrowserContext, Locator, Page, WebSocketRoute

from tests.support.browsing import until
from tests.support.node import packages

Frame = dict[str, Any]

ACTIVE: Frame = {
    "type": "state",
    "phase": "active",
    "reason": None,
    "remaining": 900.0,
    "extendable": True,
    "held": False,
    "idle_timeout": 900.0,
    "warn_before": 120.0,
    "heartbeat": 15.0,
}
WARNED: Frame = ACTIVE | {"phase": "warned", "reason": "idle", "remaining": 118.0}
LAST: Frame = WARNED | {"remaining": 8.0}
LIMIT: Frame = WARNED | {"reason": "absolute", "extendable": False}
ENDED: Frame = ACTIVE | {
    "phase": "ended",
    "reason": "idle",
    "remaining": 0.0,
    "extendable": False,
    "login_url": "/accounts/login/",
}
OVER: Frame = ACTIVE | {"remaining": 0.1, "extendable": False}
"""So near the end that the page's own clock runs out at once, and hides the content; no frame follows it."""


class Played:
    """A server that sends frames when the test asks for them; it grants every extension."""

    def __init__(self, page: Page, state: Frame = ACTIVE) -> None:
        self.page = page
        self.state = state
        self.version = 10_000
        self.away = False
        self.received: list[str] = []
        self._sockets: list[WebSocketRoute] = []
        page.route_web_socket(re.compile("/ws/idlewatch/tab/"), self._open)
        page.route(re.compile("/idlewatch/(state|message)/"), lambda route: route.abort())

    def say(self, frame: Frame) -> None:
        """Send a frame to the page, and to each socket that it opens later."""
        if frame["type"] == "state":
            self.state = frame
            self.version += 1
            frame = {**frame, "version": self.version}
        self._sockets[-1].send(json.dumps(frame))

    def go_away(self) -> None:
        """Lose the connection, and refuse new ones."""
        self.away = True
        self.page.context.set_offline(True)
        self._sockets[-1].close(code=1011)

    def fall_silent(self) -> None:
        """Answer nothing more, over a socket that stays open."""
        self.away = True
        self._sockets[-1].on_message(self._record)

    def come_back(self, state: Frame) -> None:
        self.state = state
        self.away = False
        self.page.context.set_offline(False)

    def _open(self, socket: WebSocketRoute) -> None:
        if self.away:
            socket.close(code=1011)
            return
        self._sockets.append(socket)
        socket.on_message(self._hear)
        self._answer()

    def _answer(self) -> None:
        if self.state != OVER:
            self.say(self.state)

    def _hear(self, text: str | bytes) -> None:
        self._record(text)
        if self.received[-1] == "extend":
            self.say(ACTIVE)
        elif self.received[-1] == "sync":
            self._answer()

    def _record(self, text: str | bytes) -> None:
        self.received.append(json.loads(text)["type"])


def visit(context: BrowserContext, url: str) -> tuple[Page, Played]:
    """Open a page in a context that is signed in, with a server that the test plays."""
    page = context.new_page()
    played = Played(page)
    page.goto(url)
    until(page, "window.idlewatch?.state?.version >= 10000")
    return page, played


def dialog(page: Page) -> Locator:
    return page.get_by_role("alertdialog")


def stay(page: Page) -> Locator:
    return page.get_by_role("button", name="Stay signed in")


def overlay(page: Page) -> Locator:
    return page.locator("[data-idlewatch=overlay]")


def part(page: Page, name: str) -> Locator:
    return page.locator(f".idlewatch [part~={name}]")


def names(page: Page) -> str:
    """Return all names in the accessibility tree."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    return " | ".join(str(node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"])


def with_axe(context: BrowserContext) -> BrowserContext:
    # A script of the page's own would be a violation of its policy.
    context.add_init_script(path=packages() / "axe-core" / "axe.min.js")
    return context


def finish_animations(page: Page) -> None:
    page.evaluate("""() => {
      const roots = [document, ...[...document.querySelectorAll(".idlewatch")].map((host) => host.shadowRoot)];
      for (const root of roots) for (const animation of root?.getAnimations() ?? []) animation.finish();
    }""")


def violations(page: Page) -> list[str]:
    """Return what axe-core finds in the page and its shadow roots."""
    finish_animations(page)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
    return [f"{each['id']}: {each['help']} {[node['html'] for node in each['nodes']]}" for each in found]
