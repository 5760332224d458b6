"""The people of the simulation: browsers, and tabs that do what the client in a page does."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.core.handlers.wsgi import WSGIRequest
from django.http.response import HttpResponseBase
from django.test.client import FakePayload

if TYPE_CHECKING:
    from tests.simulation.servers import Server, Socket
    from tests.simulation.stories import Step
    from tests.simulation.world import World

ANSWER_TIMEOUT = 5.0
"""Seconds after which a page takes an unanswered message for a lost connection."""
COOKIE = "sessionid"


class Browser:
    """One browser of one user: a cookie, and tabs."""

    def __init__(self, world: World, name: str, user: str) -> None:
        self.world = world
        self.name = name
        self.user = user
        self.cookie = ""
        self.former: list[tuple[str, str | None]] = []
        """Cookies that it had before, with their sessions."""
        self.watch: str | None = None
        self.watches: dict[str, str] = {}
        """The sessions of its cookies, as far as it was told."""
        self.tabs: list[Tab] = []
        self.is_asleep = False

    async def follow(self, steps: list[Step]) -> None:
        """Do what the story says."""
        for step in steps:
            await asyncio.sleep(self._delay_of(step))
            self.world.count(step.action)
            self.world.tell(f"{self.name} {step.action}", **step.args)
            await getattr(self, step.action)(**step.args)

    def _delay_of(self, step: Step) -> float:
        if step.near is None:
            return step.wait
        active = self.world.seen.latest(self.watch)
        if active is None:
            return 1.0
        limits = self.world.limits
        moment = active + limits.idle_timeout - (limits.warn_before if step.near == "warning" else 0.0)
        return min(max(moment + step.wait - self.world.now, 0.0), limits.idle_timeout)

    async def ask(self, method: str, path: str, data: dict[str, Any] | None = None, **extra: Any) -> HttpResponseBase:
        """Send a request to one of the servers, and take its cookies."""
        world, cookie = self.world, self.cookie
        watch = self.watches.get(cookie)
        body = (extra.pop("body", None) or urlencode(data or {})).encode()
        await asyncio.sleep(world.network())
        server = await world.choose_server()
        if server is None:
            return HttpResponseBase(status=502)
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_ACCEPT": "text/html" if extra.get("navigates") else "application/json",
            "HTTP_COOKIE": f"{COOKIE}={cookie}" if cookie else "",
            "CONTENT_TYPE": "application/json" if body.startswith(b"{") else "application/x-www-form-urlencoded",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": FakePayload(body),
            "wsgi.url_scheme": "http",
        }
        if extra.get("navigates"):
            environ["HTTP_SEC_FETCH_MODE"], environ["HTTP_SEC_FETCH_DEST"] = "navigate", "document"
        request = WSGIRequest(environ)
        request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
        arrived = world.now

        def begin() -> None:
            nonlocal arrived
            # A process that is stopped begins later.
            arrived = world.now
            if cookie and (extra.get("counts") or extra.get("tries")):
                world.seen.tried(watch, arrived)

        answering = asyncio.ensure_future(server.answer(request, begin))
        gone = asyncio.ensure_future(server.gone())
        await asyncio.wait([answering, gone], return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if not answering.done():
            return HttpResponseBase(status=502)
        response = answering.result()
        if cookie and extra.get("counts"):
            # A long request is activity until its end.
            world.seen.tried(watch, world.now)
        response.server, response.arrived = server, arrived  # type: ignore[attr-defined]
        fails = "fails" in (data or {})
        self._take(response, cookie, watch, arrived, counts=bool(extra.get("counts")), fails=fails)
        await asyncio.sleep(world.network())
        return response

    def _take(
        self, response: Any, cookie: str, watch: str | None, arrived: float, *, counts: bool, fails: bool
    ) -> None:
        world = self.world
        if response.status_code == 500 and not fails:
            world.seen.failed(response, arrived)
        served, watched = _json_of(response), response.headers.get("X-Served")
        if watched:
            world.seen.served(watched, arrived, response.server, counts=counts)
        elif served.get("phase") == "ended" and cookie and cookie == self.cookie:
            world.seen.told(watch, served.get("reason"), world.now, f"http {self.name}")
        elif served.get("type") == "state" and watch is not None and cookie == self.cookie:
            world.seen.promised(watch, served, world.now, response.server)
        morsel = response.cookies.get(COOKIE)
        # A request that was sent before another changed the cookie may bring an old one: the browser takes it.
        if morsel is not None and morsel.value != self.cookie:
            if self.cookie:
                self.former.append((self.cookie, self.watch))
            self.cookie = morsel.value
        if watched and self.cookie:
            self.watches[self.cookie] = watched
        self.watch = self.watches.get(self.cookie)

    async def sign_in(self, pause: float = 0.0) -> None:
        """Sign in; a page with the client follows."""
        began, former = self.world.now, self.watch
        response = await self.ask("POST", "/login/", {"user": self.user, "pause": pause})
        watch = response.headers.get("X-Served")
        if watch:
            if watch != former:
                self.world.seen.asked_for(former, "logout", began)
            self.world.seen.opened(watch, self.user, began, self.world.now)
            await self.open()

    async def sign_out(self, pause: float = 0.0) -> None:
        self.world.seen.asked_for(self.watch, "logout")
        await self.ask("POST", "/logout/", {"pause": pause})

    async def change_password(self, pause: float = 0.0) -> None:
        self.world.seen.asked_for_all_of(self.user, "account")
        await self.ask("POST", "/password/", {"pause": pause}, navigates=True, counts=True)

    async def disable(self) -> None:
        """Have the operators disable the account for a while."""
        self.world.seen.asked_for_all_of(self.user, "account")
        await self.world.operator.disable(self.user)

    async def revoke(self) -> None:
        """Have an operator end the session."""
        if self.watch is not None:
            self.world.seen.asked_for(self.watch, "revoked")
            await self.world.operator.end(self.watch)

    async def request(self) -> None:
        """Make a request that counts."""
        await self.ask("POST", "/task/", navigates=True, counts=True)

    async def work(self, pause: float = 0.0) -> None:
        """Make one that takes long."""
        await self.ask("POST", "/task/", {"pause": pause}, navigates=True, counts=True)

    async def fail(self) -> None:
        """Make one whose view raises: what it did is rolled back."""
        await self.ask("POST", "/task/", {"fails": "yes"}, navigates=True, counts=True)

    async def fail_to_sign_in(self) -> None:
        """Sign in again, in a view that raises: the session from before goes on."""
        await self.ask("POST", "/login/", {"user": self.user, "fails": "yes"}, counts=True)

    async def poll(self) -> None:
        """Make one that does not count."""
        await self.ask("GET", "/poll/")

    async def replay(self) -> None:
        """Come with a cookie that was left long ago."""
        if self.former:
            cookie, watch = self.former[-1]
            if cookie:
                stranger = Browser(self.world, f"{self.name}'", self.user)
                stranger.cookie, stranger.watch = cookie, watch
                stranger.watches = self.watches
                await stranger.ask("POST", "/task/", navigates=True, counts=True)

    async def message(self) -> None:
        """Extend over HTTP, as a page does that has no socket."""
        await self.ask("POST", "/idlewatch/message/", body='{"type": "extend"}', tries=True)

    async def open(self) -> None:
        """Open a page in a new tab."""
        if len(self.tabs) < 3:
            tab = Tab(self)
            self.tabs.append(tab)
            await tab.load()

    async def close(self) -> None:
        """Close a tab."""
        if self.tabs:
            self.tabs.pop().leave(1001)

    async def close_all(self) -> None:
        """Close the browser."""
        while self.tabs:
            self.tabs.pop().leave(1001)

    async def reload(self) -> None:
        """Reload a page."""
        if self.tabs:
            self.tabs[-1].leave(1001)
            await asyncio.sleep(self.world.network() + 0.05)
            await self.tabs[-1].load()

    async def navigate(self) -> None:
        """Follow a link."""
        if self.tabs:
            self.tabs[-1].leave(4000)
            await asyncio.sleep(0.1)
            await self.tabs[-1].load()

    async def type(self, seconds: float = 0.0) -> None:
        """Type in a tab, for some seconds."""
        until = self.world.now + seconds
        while True:
            if self.tabs:
                self.tabs[-1].act()
            if self.world.now >= until:
                return
            await asyncio.sleep(min(0.7, max(until - self.world.now, 0.01)))

    async def extend(self) -> None:
        for tab in self.tabs[-1:]:
            tab.extend()

    async def extend_at_once(self) -> None:
        """Extend in every tab, and twice."""
        for tab in self.tabs * 2:
            tab.extend()

    async def hold(self) -> None:
        for tab in self.tabs[-1:]:
            tab.say({"type": "hold", "id": "upload", "label": "Upload"}, answered=True)

    async def release(self) -> None:
        for tab in self.tabs[-1:]:
            tab.say({"type": "release", "id": "upload"}, answered=True)

    async def sync(self) -> None:
        for tab in self.tabs:
            tab.say({"type": "sync"}, answered=True)

    async def sleep(self, seconds: float = 0.0) -> None:
        """Close the lid: the network is gone, then back."""
        self.is_asleep = True
        for tab in self.tabs:
            tab.lose(server_sees_after=self.world.rng.choice([0.1, 3.0, 60.0]))
        await asyncio.sleep(seconds)
        self.is_asleep = False
        for tab in self.tabs:
            tab.come_back()


class Stay:
    """The time for which a tab was connected."""

    def __init__(self, watch: str, socket: Socket) -> None:
        self.watch = watch
        self.socket = socket
        self.began = socket.server.world.now

    def includes(self, moment: float) -> bool:
        """Return whether it was there at a moment, and for some seconds after it, at a process that lives."""
        closed_at, server = self.socket.closed_at, self.socket.server
        is_there = self.began + 0.5 < moment and (closed_at is None or closed_at > moment + 6.0)
        return is_there and not server.is_dead and not server.was_disturbed


class Tab:
    """One page with the client."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.world = browser.world
        self.socket: Socket | None = None
        self.watch: str | None = None
        self.is_open = False
        """The handshake is done."""
        self.opened_at = 0.0
        self.has_ended = False
        self.is_gone = False
        self.state: dict[str, Any] = {}
        self.state_at = 0.0
        self._tries = 0
        self._acted: float | None = None
        """Activity that was not sent yet."""
        self._sent_at = float("-inf")
        self._waits: asyncio.TimerHandle | None = None
        self._answer: asyncio.TimerHandle | None = None

    async def load(self) -> None:
        """Load the page, and run its script."""
        self.is_gone, self.has_ended, self.state = False, False, {}
        response = await self.browser.ask("GET", "/page/", navigates=True, counts=True)
        watch = response.headers.get("X-Served")
        if watch:
            self.watch = watch
            self.connect()

    def connect(self) -> None:
        if self.is_gone or self.has_ended or self.browser.is_asleep:
            return
        if self.socket is not None and not self.socket.is_closed:
            return
        server = self.world.choose_server_now()
        if server is None:
            self._retry()
            return
        from tests.simulation.servers import Socket

        self.socket = Socket(server, self.browser.cookie, self)
        self.cookie = self.browser.cookie
        self.watch = self.browser.watches.get(self.cookie)
        server.accept(self.socket)
        self._expect_answer()

    def leave(self, code: int) -> None:
        """Go away."""
        self.is_gone = True
        self._cancel()
        if self.socket is not None:
            self.world.seen.left(self.watch, self.world.now)
            self.socket.close(code)
        self.is_open = False

    def lose(self, server_sees_after: float) -> None:
        if self.socket is not None:
            self.socket.break_off(server_sees_after)

    def come_back(self) -> None:
        self.connect()

    def act(self) -> None:
        """Note what the user does; send it, a heartbeat apart."""
        self._acted = self.world.now
        if self._waits is None:
            due = self._sent_at + self.world.limits.heartbeat - self.world.now
            self._waits = asyncio.get_running_loop().call_later(max(due, 0.0), self._send_activity)

    def _send_activity(self) -> None:
        self._waits = None
        if self._acted is None or not self._is_connected():
            return
        ago = max(self.world.now - self._acted, 0.0)
        self._acted, self._sent_at = None, self.world.now
        self.say({"type": "activity", "ago": ago})

    def extend(self) -> None:
        self.say({"type": "extend"}, answered=True)

    def say(self, message: dict[str, Any], *, answered: bool = False) -> None:
        if self._is_connected():
            assert self.socket is not None
            self.socket.put(message)
            if answered:
                self._expect_answer()

    def _is_connected(self) -> bool:
        return self.is_open and self.socket is not None and not self.socket.is_closed

    def _expect_answer(self) -> None:
        if self._answer is None:
            self._answer = asyncio.get_running_loop().call_later(ANSWER_TIMEOUT, self._give_up)

    def _give_up(self) -> None:
        self._answer = None
        if self.socket is not None and not self.has_ended and not self.is_gone:
            # A stopped process, or a proxy that swallows frames.
            self.socket.break_off(server_sees_after=0.01)

    def _cancel(self) -> None:
        for handle in (self._waits, self._answer):
            if handle is not None:
                handle.cancel()
        self._waits = self._answer = None

    def was_received(self, socket: Socket, text: str) -> None:
        """Note that the server reads a message."""
        message = json.loads(text)
        if message["type"] in {"activity", "extend", "hold"}:
            kind, ago = message["type"], message.get("ago", 0.0)
            self.world.seen.tried(
                self.watch, self.world.now - ago, holds=kind == "hold", is_activity=kind == "activity"
            )

    def was_handled(self, socket: Socket, text: str, received_at: float) -> None:
        """Note that the server has done what a message asks for."""
        message = json.loads(text)
        if message["type"] == "activity" and self.watch is not None and not socket.is_closed:
            self.world.seen.handled(self.watch, received_at - message["ago"], socket.server)

    def on_open(self, socket: Socket) -> None:
        if socket is self.socket:
            self.is_open = True
            self.opened_at = self.world.now
            if self.watch is not None:
                self.world.stays.append(Stay(self.watch, socket))

    def on_frame(self, socket: Socket, frame: dict[str, Any], sent_at: float) -> None:
        if socket is not self.socket or self.is_gone or frame["type"] != "state" or self.has_ended:
            return
        is_answer = self._answer is not None
        if self._answer is not None:
            self._answer.cancel()
            self._answer = None
        self._tries = 0
        if frame["phase"] == "ended" and frame["reason"] is None:
            # There is no session with its cookie: a sign-in, or a change of the password, is under way.
            return
        if frame["phase"] == "ended":
            self.has_ended = True
            self.state = frame
            # With another cookie than the page's it is another session that the frame is about.
            if self.cookie == self.browser.cookie and self.watch is not None:
                self.world.seen.told(self.watch, frame["reason"], sent_at, f"tab of {self.browser.name}")
            return
        if frame["version"] < self.state.get("version", 0):
            return
        self.state, self.state_at = frame, self.world.now
        # What another process had pushed may come late; an answer says how it is.
        if self.watch is not None and is_answer and not socket.server.was_disturbed:
            self.world.seen.promised(self.watch, frame, sent_at, socket.server)
        if self._acted is not None and self._waits is None:
            self._send_activity()

    def on_close(self, socket: Socket, code: int) -> None:
        if socket is not self.socket:
            return
        self.is_open, self.socket = False, None
        if self._answer is not None:
            self._answer.cancel()
            self._answer = None
        if self.is_gone or self.has_ended:
            return
        if code in {4403, 4429, 4400}:
            return
        self._retry()

    def _retry(self) -> None:
        self._tries += 1
        delay = min(0.3 * 2**self._tries, 3.0) * self.world.rng.uniform(0.5, 1.0)
        asyncio.get_running_loop().call_later(delay, self.connect)


class Operator:
    """Those who run the site, through one of its servers."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def end(self, watch: str) -> None:
        from idlewatch.core.activity import Reason
        from idlewatch.monitor import service

        server = await self._world.choose_server()
        if server is not None:
            await self._on(server, lambda now: service.aend(watch, Reason.REVOKED, now))

    async def disable(self, user: str) -> None:
        from django.contrib.auth import get_user_model

        from idlewatch.process import Lane, in_thread

        def save(active: bool) -> None:
            account = get_user_model().objects.get(username=user)
            account.is_active = active
            account.save()

        server = await self._world.choose_server()
        if server is not None:
            await self._on(server, lambda now: in_thread(Lane.DATABASE, save, False))
            await asyncio.sleep(self._world.limits.checkpoint * 3)
        server = await self._world.choose_server()
        if server is not None:
            await self._on(server, lambda now: in_thread(Lane.DATABASE, save, True))

    async def _on(self, server: Server, work: Any) -> None:
        async def run() -> None:
            try:
                await work(server.clock.now())
            except Exception as error:  # noqa: BLE001 - a fault was in the way; the operator tries again, or not
                self._world.note_error("operator", error)

        task = asyncio.get_running_loop().create_task(run(), context=server.context())
        gone = asyncio.ensure_future(server.gone())
        await asyncio.wait([task, gone], return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()


def _json_of(response: HttpResponseBase) -> dict[str, Any]:
    content = getattr(response, "content", b"")
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
