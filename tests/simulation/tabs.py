"""Tabs of the simulation: they do what the client in a page does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tests.simulation.sockets import Socket

if TYPE_CHECKING:
    from tests.simulation.browsers import Browser

ANSWER_TIMEOUT = 5.0
"""Seconds after which a page takes an unanswered message for a lost connection."""


class Stay:
    """The time for which a tab was connected."""

    def __init__(self, watch: str, socket: Socket) -> None:
        self.watch = watch
        self.socket = socket
        self.began = socket.server.world.now

    def includes(self, moment: float) -> bool:
        """Return whether it was there at a moment, and for some seconds after it, at a process that lives.

        Where it went because its session ended, that is no excuse for the end.
        """
        socket, server = self.socket, self.socket.server
        began, closed_at = self.began + 0.5, socket.closed_at
        is_there = closed_at is None or closed_at > moment + (0.0 if socket.has_ended else 6.0)
        return began < moment and is_there and not server.is_dead and not server.was_disturbed


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
            self.socket.close(code)
            if code == 1001 and self.watch is not None:
                self.world.seen.sessions[self.watch].closes.append(self.world.now)
            if self.watch is not None and self.world.is_left(self.watch):
                self.world.seen.left(self.watch, self.world.now)
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

    def was_handled(
        self, socket: Socket, text: str, received_at: float, answers: Sequence[tuple[dict[str, Any], float]]
    ) -> None:
        """Note that the server has done what a message asks for, and what it has sent meanwhile, and when."""
        message = json.loads(text)
        if message["type"] == "extend" and self.watch is not None:
            self.world.seen.extended(self.watch, answers, received_at)
        if message["type"] == "release" and self.watch is not None and self.world.calm.lasts:
            self.world.seen.sessions[self.watch].released.append(self.world.now)
        if message["type"] == "activity" and self.watch is not None and not socket.is_closed:
            self.world.seen.handled(self.watch, received_at - message["ago"], received_at, socket.server)

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
            before, self.state = self.state, frame
            # With another cookie than the page's it is another session that the frame is about.
            if self.browser.knows_session_of(self.cookie) and self.watch is not None:
                self.world.calm.told_of_end(self, frame, before)
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
