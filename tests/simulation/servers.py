"""Simulated server processes: each runs the product as `watched()` does under Daphne."""

from __future__ import annotations

import asyncio
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
from idlewatch.process import Process
from idlewatch.runtime.runtime import runtime_of
from idlewatch.signals.delivery import Delivery
from idlewatch.signals.dispatcher import Dispatcher
from tests.simulation import threads

if TYPE_CHECKING:
    from tests.simulation.sockets import Socket
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
        self.stops: list[float] = []
        """When it was stopped."""
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
        self.stops.append(self.world.now)

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


class Handler(BaseHandler):
    """Django's own handler, with the middleware of the site."""

    def __init__(self) -> None:
        super().__init__()
        self.load_middleware()


async def _no_application(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError(f"no {scope['type']} goes through the wrapped application here")
