"""The live page with a server that the test plays, and each of its states."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import BrowserContext, Page, Route, WebSocketRoute, expect

from tests.browser.operators import LIVE, act, focus_elsewhere, limited
from tests.browser.visits import wait_for
from tests.support.browsing import sign_in
from tests.support.serving import Server

DEVICES = ("Chrome 131 on Windows", "Safari 18 on iPhone", "Firefox 133 on Linux", "Edge 131 on Windows", "")
NAMES = ("ada", "grace", "edsger", "barbara", "donald", "margaret", "katherine", "alan.turing@example.org")


def line(number: int, now: float, **changes: Any) -> dict[str, Any]:
    """Return a row as the server sends it."""
    return {
        "id": f"session{number:05}",
        "user": NAMES[number % len(NAMES)],
        "device": DEVICES[number % len(DEVICES)],
        "address": f"10.0.{number // 250}.{number % 250 + 1}",
        "started": now - 400 - 171 * number,
        "seen": now - 3 - 7 * number,
        "tabs": (1, 2, 1, 0, 4)[number % 5],
        "hold": None,
        "phase": "active",
        "reason": None,
        "ends": now + 840 + 7 * number,
        "mine": False,
    } | changes


def hour(now: float, scale: float) -> list[list[float]]:
    """Samples of an hour, with a gap in it."""
    samples = []
    for number in range(240):
        if 150 <= number < 162:
            continue
        active = round(scale * (0.7 + 0.25 * math.sin(number / 40) + 0.03 * math.sin(number / 3)))
        warned = round(scale * 0.02 * (1 + math.sin(number / 7)) + (number % 50 == 7))
        samples.append([now - 3600 + 15 * (number + 1), active, warned, (number * 7 % 5) // 4 + round(scale / 4000)])
    return samples


class PlayedServer:
    """Play the live socket and the actions for one page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.now = time.time()
        self.frame = 0
        self.query = 0
        self.socket: WebSocketRoute | None = None
        self.away = False
        self.closed = False
        page.route_web_socket("**/ws/idlewatch/live/", self._accept)
        page.route("**/live/count/", lambda route: self._answer(route, self.counted))
        self.counted = {"sessions": 37, "users": 12, "own": 1, "before": self.now}

    def show(self, lines: list[dict[str, Any]], **changes: Any) -> None:
        """Send all that the page shows."""
        total = changes.pop("total", len(lines))
        warned = sum(each["phase"] == "warned" for each in lines)
        frame = {
            "type": "page",
            "now": self.now,
            "counts": {"active": total - warned, "warned": warned, "connected": round(total * 0.8)},
            "total": total,
            "bounded": False,
            "page": 1,
            "pages": -(-total // 50) or 1,
            "rows": lines,
            "samples": hour(self.now, total) if total else [],
        }
        self.say(frame | changes)
        expect(self.page.locator("[data-idlewatch-part=table]")).to_have_attribute("aria-busy", "false")

    def say(self, frame: dict[str, Any]) -> None:
        assert self.socket is not None, "the page has connected"
        self.frame += 1
        self.socket.send(json.dumps({"frame": self.frame, "query": self.query} | frame))

    def wait_for_query(self, query: int) -> None:
        """Wait until the page has sent its nth query."""
        wait_for(self.page, lambda: self.query >= query, 15)

    def reset(self) -> None:
        """Close the dialog and the selection that a state left open."""
        self.page.evaluate("document.querySelector('.live-dialog').close()")
        self.page.unroute("**/live/act/")
        if self.page.locator("[data-idlewatch-part=select-none]").is_visible():
            self.page.locator("[data-idlewatch-part=select-none]").click()
        focus_elsewhere(self.page)

    def acting(self, *answers: dict[str, Any] | None) -> None:
        """Answer the steps of an action; None: leave it waiting."""
        left = list(answers)
        self.page.route("**/live/act/", lambda route: self._answer(route, left.pop(0)))

    def go(self, code: int | None = None) -> None:
        """Close the socket; without a code, for good."""
        self.away = code is None
        self.closed = True
        assert self.socket is not None
        self.socket.close(code=code or 4503)

    def _answer(self, route: Route, answer: dict[str, Any] | None) -> None:
        if answer is not None:
            route.fulfill(json=answer)

    def _accept(self, socket: WebSocketRoute) -> None:
        if self.away:
            socket.close(code=4503)
            return
        self.socket = socket
        socket.on_message(self._hear)

    def _hear(self, message: str | bytes) -> None:
        said = json.loads(message)
        if said["type"] == "watch":
            self.query = said["query"]


State = Callable[[Page, PlayedServer], None]


def visit(context: BrowserContext, server: Server, name: str = "admin") -> tuple[Page, PlayedServer]:
    """Open the live page with a played server."""
    page = limited(context, server)
    played = PlayedServer(page)
    page.goto(server.url(LIVE))
    if "/login/" in page.url:
        sign_in(page, server.url(f"/accounts/login/?next={LIVE}"), name)
    played.wait_for_query(1)
    return page, played


def present(page: Page) -> str:
    """Return the id of the operator's own session."""
    config = page.get_attribute("#live-sessions", "data-config")
    return str(json.loads(config or "")["present"])


def empty(page: Page, played: PlayedServer) -> None:
    played.show([])


def three(page: Page, played: PlayedServer) -> None:
    now = played.now
    held = line(1, now, hold="Uploading 3 files", ends=None)
    warned = line(2, now, phase="warned", reason="idle", ends=now + 74)
    played.show([warned, line(0, now, id=present(page), user="admin", mine=True), held])


def many(page: Page, played: PlayedServer) -> None:
    now = played.now
    warned = [line(number, now, phase="warned", reason="idle", ends=now + 9 * number + 9) for number in range(4)]
    played.show([*warned, *(line(number, now) for number in range(4, 20))], total=10_000)


def waiting(page: Page, played: PlayedServer) -> None:
    three(page, played)
    page.locator("[data-cell=check]").nth(2).check()
    new = {f"session{number:05}": line(number, played.now) for number in range(5, 9)}
    played.say({"type": "changes", "now": played.now, "rows": new, "order": [present(page), "session00001", *new]})
    expect(page.locator("[data-idlewatch-part=waiting]")).to_be_visible()


def confirmation(page: Page, played: PlayedServer) -> None:
    many(page, played)
    page.locator("[data-idlewatch-part=select-page]").check()
    act(page, "end")


def notice(page: Page, played: PlayedServer) -> None:
    many(page, played)
    page.locator("[data-idlewatch-part=select-page]").check()
    act(page, "notice")
    page.keyboard.type("The site is closed for maintenance from noon to one.")


def progress(page: Page, played: PlayedServer) -> None:
    played.counted |= {"sessions": 10_000, "users": 500, "own": 1}
    confirmation(page, played)
    played.acting({"done": 120, "own": 1, "cursor": "x"}, None)
    page.locator("[data-idlewatch-part=do]:visible").click()
    expect(page.locator("#live-progress-words")).to_contain_text("120")


def result(page: Page, played: PlayedServer) -> None:
    confirmation(page, played)
    played.acting({"done": 36, "own": 1, "cursor": None})
    page.locator("[data-idlewatch-part=do]:visible").click()
    expect(page.locator("[data-idlewatch-part=close]")).to_be_visible()


def failure(page: Page, played: PlayedServer) -> None:
    confirmation(page, played)
    page.route("**/live/act/", lambda route: route.abort())
    page.locator("[data-idlewatch-part=do]:visible").click()
    expect(page.locator("[data-idlewatch-part=again]")).to_be_visible()


def outcome(page: Page, played: PlayedServer) -> None:
    result(page, played)
    page.locator("[data-idlewatch-part=close]").click()


def connection_lost(page: Page, played: PlayedServer) -> None:
    three(page, played)
    played.go()
    expect(page.locator("[data-idlewatch-part=banner]")).to_be_visible(timeout=10_000)


def unavailable(page: Page, played: PlayedServer) -> None:
    three(page, played)
    played.say({"type": "unavailable"})
    expect(page.locator("[data-idlewatch-part=banner]")).to_be_visible()


def refused(page: Page, played: PlayedServer) -> None:
    three(page, played)
    played.go(4403)
    expect(page.locator("[data-idlewatch-part=refusal]")).to_be_visible()


LIVE_STATES: list[State] = [
    empty,
    three,
    many,
    waiting,
    confirmation,
    notice,
    progress,
    result,
    failure,
    outcome,
    connection_lost,
    unavailable,
    refused,
]
