"""Simulated server processes: each runs the product as `watched()` does under Daphne."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

from django.core.handlers.base import BaseHandler
from django.db import close_old_connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from idlewatch.asgi import WatchedApplication
from idlewatch.core.clock import Clock
from idlewatch.core.protocol import CLEAN_CLOSES, TAB_PATH, Close
from idlewatch.process import Process
from idlewatch.runtime.runtime import runtime_of
from idlewatch.signals.delivery import Delivery
from idlewatch.signals.dispatcher import Dispatcher
from tests.simulation import threads

if TYPE_CHECKING:
    from tests.simulation.world import World


class ServerClock(Clock):
    """The clock of one host: what it says may differ from the world's time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._offset = 0.0
        self.lag = 0.0
        """Seconds for which the machine stood still without its clock noticing."""
        self.wall_offset = 0.0

    def now(self) -> float:
        return self._world.now + self._offset - self.lag

    def wall(self) -> float:
        return self._world.now + self.wall_offset

    def ticks(self) -> float:
        return self._world.loop.time() - self.lag


class Signals(Dispatcher):
    """Calls the receivers at once: here they only take notes."""

    def _put(self, delivery: Delivery) -> None:
        delivery.run()

    def drain(self) -> bool:
        """Return True: nothing waits."""
        return True


class Server(Process):
    """One process, of its own machine. It runs until it is stopped, and lives until it is killed."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.runs = True
        self.is_dead = False
        self.is_going = False
        self.was_disturbed = False
        """Whether it stood still for long."""
        self.parked: deque[asyncio.Handle] = deque()
        self.clock: ServerClock
        super().__init__(clock=ServerClock(world))
        self.threads = threads.SimulatedThreads(self.entered)
        self.keep(Dispatcher, Signals(self))
        self.sockets: dict[Socket, None] = {}
        """In the order in which they came."""
        self._idle: list[dict[str, Any]] = []
        self._locals: list[dict[str, Any]] = []
        self._awake: list[asyncio.Future[None]] = []
        self._gone: list[asyncio.Future[None]] = []
        with self.entered():
            self.application = WatchedApplication(_no_application, self)

    def start_up(self) -> None:
        """Begin to serve."""
        self.is_served = True
        with self.entered():
            runtime_of(self).start()

    async def awake(self) -> None:
        """Return once the process runs; never, if it is dead."""
        while not self.runs:
            waiting = asyncio.get_running_loop().create_future()
            self._awake.append(waiting)
            await waiting

    async def gone(self) -> None:
        """Return once the process is dead."""
        if not self.is_dead:
            waiting = asyncio.get_running_loop().create_future()
            self._gone.append(waiting)
            await waiting

    def stop(self) -> None:
        """Stop it, as SIGSTOP does."""
        self.runs = False

    def resume(self) -> None:
        """Let it go on."""
        if self.is_dead:
            return
        self.runs = True
        for waiting in self._awake:
            if not waiting.done():
                waiting.set_result(None)
        self._awake.clear()
        self.world.loop.resume(self)

    def kill(self) -> None:
        """Kill it: nothing of it goes on, its transactions are rolled back, and its sockets break."""
        self.is_dead, self.runs = True, False
        for local in self.all_locals():
            for connection in local.values():
                if getattr(connection, "connection", None) is not None:
                    connection.connection.rollback()
                    connection.connection.close()
        for socket in list(self.sockets):
            socket.break_off()
        for waiting in self._gone:
            if not waiting.done():
                waiting.set_result(None)

    async def shut_down(self) -> None:
        """Stop in order, as Daphne has it on SIGTERM."""
        self.is_going = True
        task = asyncio.get_running_loop().create_task(self.application._stop(), context=self.context())
        await asyncio.wait([task])
        if not self.is_dead:
            self.kill()

    def all_locals(self) -> list[dict[str, Any]]:
        """Return what every thread of the process keeps."""
        lanes = [local for idle in self.threads.every for local in idle]
        return [*self._locals, *lanes]

    def holds_transaction(self) -> bool:
        """Return whether a transaction is open in one of its threads."""
        found = [connection for local in self.all_locals() for connection in local.values()]
        return any(getattr(each, "in_atomic_block", False) for each in found)

    async def answer(self, request: HttpRequest, begin: Callable[[], None]) -> HttpResponseBase:
        """Answer a request, in a thread of its own, which calls `begin` first."""
        if self._idle:
            local = self._idle.pop()
        else:
            local = {}
            self._locals.append(local)
        context = Context()
        with self.entered():
            context = self.context()
        handler = self.world.handler

        def respond() -> HttpResponseBase:
            begin()
            # As Django's signals do around each request.
            close_old_connections()
            response: HttpResponseBase = handler.get_response(request)
            response.close()
            close_old_connections()
            return response

        try:
            return await threads.run(respond, local, context)
        finally:
            self._idle.append(local)

    def accept(self, socket: Socket) -> None:
        """Serve a WebSocket."""
        self.sockets[socket] = None
        task = asyncio.get_running_loop().create_task(
            self.application(socket.scope, socket.receive, socket.send), context=self.context()
        )
        socket.task = task
        task.add_done_callback(socket.ended)


class Socket:
    """One WebSocket between a tab and a server, and the network between them."""

    def __init__(self, server: Server, cookie: str, client: Any) -> None:
        self.server = server
        self.client = client
        self.cookie = cookie
        self.inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.is_accepted = False
        self.closed_at: float | None = None
        self.is_closed = False
        self.is_left = False
        """Whether the page closed it."""
        self.has_ended = False
        """Whether the server closed it because the session had ended."""
        self.task: asyncio.Task[Any] | None = None
        self._order = 0.0
        self._handling: tuple[str, float] | None = None
        self._answers: list[tuple[dict[str, Any], float]] = []
        """What was sent since the message came that is being handled, and when."""
        headers = [(b"host", b"testserver"), (b"origin", b"http://testserver")]
        if cookie:
            headers.append((b"cookie", f"sessionid={cookie}".encode()))
        self.scope = {
            "type": "websocket",
            "path": TAB_PATH,
            "query_string": b"",
            "headers": headers,
            "subprotocols": [],
        }
        self._later(self.inbox.put_nowait, {"type": "websocket.connect"})

    @property
    def watch(self) -> str | None:
        """The session of its cookie, as far as the browser was told."""
        watches: dict[str, str] = self.client.browser.watches
        return watches.get(self.cookie)

    def _close(self) -> None:
        self.is_closed, self.closed_at = True, self.server.world.now

    def _later(self, call: Any, *args: Any) -> None:
        """Do something at the other end, after what was sent before."""
        loop = asyncio.get_running_loop()
        # A loop has no order among what is due at one moment.
        at = max(loop.time() + self.server.world.network(), self._order + 1e-6)
        self._order = at
        loop.call_at(at, call, *args, context=Context())

    # The server's side.

    async def receive(self) -> dict[str, Any]:
        if self._handling is not None:
            self.client.was_handled(self, *self._handling, self._answers)
            self._handling = None
        message = await self.inbox.get()
        self._answers = []
        if message["type"] == "websocket.receive":
            self._handling = message["text"], self.server.world.now
            self.client.was_received(self, message["text"])
        return message

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.accept":
            # Also where the network was lost meanwhile, which the server does not know.
            self.is_accepted = True
        if self.is_closed:
            return
        if message["type"] == "websocket.accept":
            self._later(self.client.on_open, self)
        elif message["type"] == "websocket.send":
            sent = json.loads(message["text"]), self.server.world.now
            self._answers.append(sent)
            self._later(self.client.on_frame, self, *sent)
        elif message["type"] == "websocket.close":
            self._close()
            code = message.get("code") or 1000
            self.has_ended = code == Close.ENDED
            self._later(self._client_closed, code)
            self._later(self.inbox.put_nowait, {"type": "websocket.disconnect", "code": code})

    def ended(self, task: asyncio.Task[Any]) -> None:
        self.server.sockets.pop(self, None)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.server.world.note_error("socket", error)
        if not self.is_closed:
            self._close()
            self._later(self._client_closed, 1006)

    def _client_closed(self, code: int) -> None:
        self.client.on_close(self, code)

    # The client's side.

    def put(self, message: dict[str, Any]) -> None:
        """Send a message to the server."""
        if not self.is_closed:
            self._later(self.inbox.put_nowait, {"type": "websocket.receive", "text": json.dumps(message)})

    def close(self, code: int) -> None:
        """Close from the page."""
        if not self.is_closed:
            self._close()
            self.is_left = code in CLEAN_CLOSES
            self._later(self.inbox.put_nowait, {"type": "websocket.disconnect", "code": code})

    def break_off(self, server_sees_after: float | None = None) -> None:
        """Break, as a lost network does: the page sees it at once, the server in a while."""
        if not self.is_closed:
            self._close()
            self._later(self._client_closed, 1006)
            if server_sees_after is not None:
                loop = asyncio.get_running_loop()
                message = {"type": "websocket.disconnect", "code": 1006}
                loop.call_later(server_sees_after, self.inbox.put_nowait, message, context=Context())


class Handler(BaseHandler):
    """Django's own handler, with the middleware of the site."""

    def __init__(self) -> None:
        super().__init__()
        self.load_middleware()


async def _no_application(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError(f"no {scope['type']} goes through the wrapped application here")
