"""Browsers of the simulation, and what their users do in them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.core.handlers.wsgi import WSGIRequest
from django.http.response import HttpResponseBase
from django.test.client import FakePayload

from tests.simulation.tabs import Tab

if TYPE_CHECKING:
    from tests.simulation.stories import Step
    from tests.simulation.world import World

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
        self.unanswered: set[str] = set()
        """Cookies with which it tried to sign in without an answer: since then they may have another session."""
        self.tries: list[tuple[str, float, float]] = []
        """What was tried with cookies of which it was not told the session yet."""
        self.tabs: list[Tab] = []
        self.is_asleep = False

    async def follow(self, steps: list[Step]) -> None:
        """Do what the story says."""
        for step in steps:
            await asyncio.sleep(self.delay_of(step))
            self.world.begin(step.action)
            self.world.tell(f"{self.name} {step.action}", **step.args)
            # What was begun is carried through, also where the schedule has no time for more steps.
            await asyncio.shield(asyncio.ensure_future(getattr(self, step.action)(**step.args)))

    def delay_of(self, step: Step) -> float:
        """Return in how many seconds a step is to be done."""
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
            if extra.get("counts") or extra.get("tries"):
                self._try(cookie, arrived)

        answering = asyncio.ensure_future(server.answer(request, begin))
        if extra.get("counts") or extra.get("tries"):
            # A long request is activity until its end, and a message from when it is handled: also if no one waits.
            answering.add_done_callback(lambda _: self._try(cookie, arrived, world.now - arrived))
        gone = asyncio.ensure_future(server.gone())
        await asyncio.wait([answering, gone], return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if not answering.done():
            return HttpResponseBase(status=502)
        response = answering.result()
        response.server, response.arrived = server, arrived  # type: ignore[attr-defined]
        if extra.get("navigates"):
            is_page = bool(response.headers.get("X-Served"))
            world.seen.shown(watch, world.now, has_client=path == "/page/" if is_page else None)
        fails = "fails" in (data or {})
        self._take(response, cookie, watch, arrived, counts=bool(extra.get("counts")), fails=fails)
        await asyncio.sleep(world.network())
        return response

    def knows_session_of(self, cookie: str) -> bool:
        """Return whether an answer to its present cookie is certainly about the session that it knows."""
        return cookie == self.cookie and cookie not in self.unanswered

    def _try(self, cookie: str, at: float, lasted: float = 0.0) -> None:
        """Note that a request may extend the session of a cookie."""
        if cookie in self.watches:
            self.world.seen.tried(self.watches[cookie], at, lasted=lasted)
        elif cookie:
            self.tries.append((cookie, at, lasted))

    def _take(
        self, response: Any, cookie: str, watch: str | None, arrived: float, *, counts: bool, fails: bool
    ) -> None:
        world = self.world
        if response.status_code == 500 and not fails:
            world.seen.failed(response, arrived)
        served, watched = _json_of(response), response.headers.get("X-Served")
        if watched:
            world.seen.served(watched, arrived, response.server, counts=counts)
        elif served.get("phase") == "ended" and cookie and self.knows_session_of(cookie):
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
            self.unanswered.discard(self.cookie)
            for tried_with, at, lasted in self.tries:
                if tried_with == self.cookie:
                    world.seen.tried(watched, at, lasted=lasted)
        self.watch = self.watches.get(self.cookie)

    async def sign_in(self, pause: float = 0.0) -> None:
        """Sign in; a page with the client follows."""
        began, former, cookie = self.world.now, self.watch, self.cookie
        response = await self.ask("POST", "/login/", {"user": self.user, "pause": pause}, tries=True)
        watch = response.headers.get("X-Served")
        if watch:
            if watch != former:
                self.world.seen.asked_for(former, "logout", began)
            self.world.seen.opened(watch, self.user, began, self.world.now)
            self.world.calm.signed_in(self.user)
            await self.open()
        else:
            self.unanswered.add(cookie)
            self.world.seen.failed_to_sign_in(former, began, self.world.now)
            if response.status_code == 400:
                # Django could not save the session, of which no browser has the new cookie: the next sign-in ends it.
                self.world.seen.asked_for(former, "logout", began)

    async def sign_out(self, pause: float = 0.0) -> None:
        self.world.seen.asked_for(self.watch, "logout")
        began, watch = self.world.now, self.watch
        response: Any = await self.ask("POST", "/logout/", {"pause": pause})
        if response.status_code == 302:
            self.world.calm.must_end(watch, "logout", began)

    async def change_password(self, pause: float = 0.0) -> None:
        began, own = self.world.now, self.watch
        asked = self.world.seen.asked_for_all_of(self.user, "account")
        response = await self.ask("POST", "/password/", {"pause": pause}, navigates=True, counts=True)
        if response.status_code < 500 and self.world.database.struck_at < began:
            asked.spared = own
            if response.headers.get("X-Served"):
                self.world.calm.must_end_all_of(self.user, "account", began, own)

    async def change_password_while_polling(self) -> None:
        """Change it in a view that takes a moment, while a script of the page polls with the old cookie."""
        changing = asyncio.ensure_future(self.change_password(0.3))
        await asyncio.sleep(0.1)
        await self.poll()
        await changing

    async def disable(self) -> None:
        """Have the operators disable the account for a while."""
        self.world.seen.asked_for_all_of(self.user, "account")
        await self.world.operator.disable(self.user)

    async def revoke(self) -> None:
        """Have an operator end the session."""
        if self.watch is not None:
            self.world.seen.asked_for(self.watch, "revoked")
            began, watch = self.world.now, self.watch
            await self.world.operator.end(watch)
            self.world.calm.must_end(watch, "revoked", began)

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
        watch, cookie = self.watch, self.cookie
        self.world.seen.polled(watch)
        response: Any = await self.ask("POST", "/idlewatch/message/", body='{"type": "extend"}', tries=True)
        frame = _json_of(response)
        if watch is not None and cookie == self.cookie and frame.get("type") == "state":
            self.world.seen.extended(watch, [(frame, self.world.now)], response.arrived)

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

    async def stay(self) -> None:
        """Stay signed in, where the session lives."""
        while True:
            await asyncio.sleep(3.0)
            if self.tabs:
                await self.extend()
            elif self.watch is not None:
                await self.request()

    async def sleep(self, seconds: float = 0.0) -> None:
        """Close the lid: the network is gone, then back."""
        self.is_asleep = True
        for tab in self.tabs:
            tab.lose(server_sees_after=self.world.rng.choice([0.1, 3.0, 60.0]))
        await asyncio.sleep(seconds)
        self.is_asleep = False
        for tab in self.tabs:
            tab.come_back()


def _json_of(response: HttpResponseBase) -> dict[str, Any]:
    content = getattr(response, "content", b"")
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
