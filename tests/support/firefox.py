"""A real Firefox for the tests: the system's, through WebDriver BiDi, which it speaks by itself."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.support.serving import find_program

NAMES = ("firefox-esr", "firefox")
START_TIMEOUT = 60.0
ANSWER_TIMEOUT = 30.0

# Requests that Firefox makes on its own.
QUIET = {
    "app.normandy.enabled": False,
    "browser.aboutHomeSnippets.updateUrl": "",
    "browser.region.network.url": "",
    "browser.safebrowsing.blockedURIs.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.topsites.contile.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.getAddons.cache.enabled": False,
    "extensions.systemAddon.update.enabled": False,
    "extensions.update.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "nimbus.rollouts.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
}
ESCAPE = "\ue00c"

# The client's parts live in a shadow root.
FIND = """(selector) => {
    const within = (root) => root.querySelector(selector) ?? below([...root.querySelectorAll("*")]);
    const below = (all) => all.reduce((found, { shadowRoot }) => found ?? (shadowRoot && within(shadowRoot)), null);
    return within(document);
}"""


class CommandFailed(Exception):
    """The browser could not do what it was sent."""


class Firefox:
    """A browser that runs; each of its users has cookies and tabs of their own."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.count = 0

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.count += 1
        self.connection.send(json.dumps({"id": self.count, "method": method, "params": parameters}))
        while True:
            # What comes between is an event.
            answer = json.loads(self.connection.recv(timeout=ANSWER_TIMEOUT))
            if answer.get("id") != self.count:
                continue
            if answer["type"] == "error":
                raise CommandFailed(f"{method}: {answer['error']}: {answer['message']}")
            return answer["result"]

    @contextmanager
    def user(self) -> Iterator[User]:
        """Start with an empty profile."""
        context = self.command("browser.createUserContext")["userContext"]
        try:
            yield User(self, context)
        finally:
            self.command("browser.removeUserContext", userContext=context)


class User:
    """A person at the browser."""

    def __init__(self, firefox: Firefox, context: str) -> None:
        self.firefox = firefox
        self.context = context

    def open(self, url: str) -> Tab:
        created = self.firefox.command("browsingContext.create", type="tab", userContext=self.context)
        tab = Tab(self.firefox, created["context"])
        tab.go(url)
        return tab

    def before_each_page(self, function: str) -> None:
        """Run a function in each page of this user first."""
        self.firefox.command("script.addPreloadScript", functionDeclaration=function, userContexts=[self.context])

    def set_cookie(self, name: str, value: str, host: str) -> None:
        cookie = {"name": name, "value": {"type": "string", "value": value}, "domain": host}
        partition = {"type": "storageKey", "userContext": self.context}
        self.firefox.command("storage.setCookie", cookie=cookie, partition=partition)


class Tab:
    """One of a user's tabs."""

    def __init__(self, firefox: Firefox, context: str) -> None:
        self.firefox = firefox
        self.context = context

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self.firefox.command(method, context=self.context, **parameters)

    def go(self, url: str) -> None:
        self.command("browsingContext.navigate", url=url, wait="complete")

    def back(self) -> None:
        self.command("browsingContext.traverseHistory", delta=-1)

    def look(self) -> None:
        """Bring the tab to the front, as only one of a window can be."""
        self.command("browsingContext.activate")

    def close(self) -> None:
        self.command("browsingContext.close")

    @property
    def url(self) -> str:
        [this] = self.firefox.command("browsingContext.getTree", root=self.context)["contexts"]
        return this["url"]

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression, as far as JSON can hold it."""
        result = self._script(f"(async () => JSON.stringify(await ({expression})))()")
        return None if result["type"] == "undefined" else json.loads(result["value"])

    def finds(self, selector: str, condition: str = "true") -> bool:
        """Return whether there is an `element` for which the condition holds."""
        return self.evaluate(f"((element) => element !== null && ({condition}))(({FIND})({json.dumps(selector)}))")

    def sees(self, selector: str) -> bool:
        return self.finds(selector, "element.checkVisibility({visibilityProperty: true})")

    def click(self, selector: str) -> None:
        """Click as a person does: the browser finds out what is under the pointer."""
        element = self._script(f"((element) => (element.scrollIntoView(), element))(({FIND})({json.dumps(selector)}))")
        origin = {"type": "element", "element": {"sharedId": element["sharedId"]}}
        mouse = [
            {"type": "pointerMove", "x": 0, "y": 0, "origin": origin},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        self.command("input.performActions", actions=[{"type": "pointer", "id": "mouse", "actions": mouse}])

    def type(self, text: str, *, every: float = 0.0) -> None:
        """Press one key after the other, with a pause in seconds after each."""
        keys: list[dict[str, Any]] = []
        for key in text:
            keys += [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
            keys.append({"type": "pause", "duration": round(every * 1000)})
        self.command("input.performActions", actions=[{"type": "key", "id": "keyboard", "actions": keys}])

    def until(self, condition: Any, within: float = 10.0) -> None:
        """Wait for a condition, a callable, to hold."""
        deadline = time.monotonic() + within
        while not self._holds(condition):
            assert time.monotonic() < deadline, f"not within {within:g} s, at {self.url}"
            time.sleep(0.1)

    def _holds(self, condition: Any) -> bool:
        try:
            return bool(condition())
        except CommandFailed:
            # The page is on its way elsewhere.
            return False

    def _script(self, expression: str) -> dict[str, Any]:
        answer = self.firefox.command(
            "script.evaluate", expression=expression, target={"context": self.context}, awaitPromise=True
        )
        if answer["type"] == "exception":
            raise CommandFailed(answer["exceptionDetails"]["text"])
        return answer["result"]


@contextmanager
def firefox(profile: Path, preferences: Mapping[str, bool | int | str] | None = None) -> Iterator[Firefox]:
    """Run a browser with an empty profile, in this directory."""
    lines = [
        f"user_pref({json.dumps(name)}, {json.dumps(value)});"
        for name, value in (QUIET | dict(preferences or {})).items()
    ]
    (profile / "user.js").write_text("\n".join(lines))
    wanted = filter(None, [os.environ.get("FIREFOX")])
    program = find_program(*wanted, *NAMES, remedy="run scripts/ensure-firefox, or set FIREFOX to its path")
    command = [program, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port=0"]
    log = (profile / "firefox.log").open("wb")
    process = subprocess.Popen([*command, "about:blank"], stdout=log, stderr=log)
    try:
        with connect(_address(profile, process), proxy=None, max_size=None) as connection:
            browser = Firefox(connection)
            browser.command("session.new", capabilities={})
            yield browser
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _address(profile: Path, process: subprocess.Popen[bytes]) -> str:
    written = profile / "WebDriverBiDiServer.json"
    deadline = time.monotonic() + START_TIMEOUT
    while not written.is_file() or not written.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"Firefox did not start:\n{(profile / 'firefox.log').read_text()[-2000:]}")
        time.sleep(0.1)
    server = json.loads(written.read_text())
    return f"ws://{server['ws_host']}:{server['ws_port']}/session"
