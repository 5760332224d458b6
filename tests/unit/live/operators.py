"""Operators for the tests: their live sockets, and the table as a page would keep it from the frames."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.models import Permission, User
from msgspec import to_builtins
from msgspec.structs import replace

from idlewatch.core.activity import Activity
from idlewatch.core.clock import as_datetime
from idlewatch.core.policy import Policy
from idlewatch.core.protocol import LIVE_PATH
from idlewatch.models import WatchedSession
from idlewatch.monitor import checkpoints, django_sessions, stores
from idlewatch.process import current_process
from idlewatch.process import now as read_clock
from idlewatch.store.values import Watched
from tests.support.clocks import TestClock
from tests.support.sockets import WITHIN, Signed, Tab

POLICY = Policy(idle_timeout=900, warn_before=120, absolute_timeout=43200, close_grace=300)
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


def staff(name: str = "op", *, permitted: bool = True, is_staff: bool = True) -> Signed:
    """Sign an operator in."""
    signed = Signed(name)
    User.objects.filter(pk=signed.user.pk).update(is_staff=is_staff)
    if permitted:
        signed.user.user_permissions.add(Permission.objects.get(codename="view_watchedsession"))
    return signed


astaff = sync_to_async(staff)


def people(count: int, *, start: int = 0, user: User | None = None, **changes: Any) -> list[Watched]:
    """Have so many sessions in, of as many names: one record and one watch each, begun one second after the other.

    `user`: the owner of all of them; a timer would end those without an owner.
    """
    at = read_clock()
    logged_in_at = at - 300
    policy = replace(POLICY, **changes)
    digest = "" if user is None else django_sessions.auth_digest(user.get_session_auth_hash())
    watches, rows = [], []
    for number in range(start, start + count):
        moment = logged_in_at + (number % 250)
        activity = Activity(logged_in_at=moment, active=moment)
        owner = "" if user is None else str(user.pk)
        watched = Watched(id=f"w{number:06}", user=owner, policy=policy, activity=activity)
        watches.append(stores.current().sessions.open(watched, at))
        rows.append(
            WatchedSession(
                id=watched.id,
                username=f"user{number:06}",
                user=user,
                auth_digest=digest,
                address=f"10.0.{number // 250 % 250}.{number % 250}",
                user_agent=CHROME if number % 2 else FIREFOX,
                started=as_datetime(moment),
                signed_in=as_datetime(moment),
                limits=to_builtins(policy),
                **checkpoints.progress_of(watched, moment),
            )
        )
    WatchedSession.objects.bulk_create(rows, batch_size=500)
    return watches


apeople = sync_to_async(people)


STEP = 0.1
"""Seconds of a test's clock that pass together."""
FRAME_TIMEOUT = 30.0
"""Seconds of a test's clock that an operator waits for a frame."""
REDIS_PAUSE = 0.01
"""Seconds that each step lasts where Redis has to answer in between."""


def is_advanced() -> bool:
    """Return whether only the test's clock lets time pass."""
    clock = current_process().clock
    return isinstance(clock, TestClock) and clock.is_taken_over


async def pass_time(seconds: float) -> None:
    """Advance the test's clock."""
    clock = current_process().clock
    assert isinstance(clock, TestClock)
    await clock.settle()
    if stores.current().shared:
        await asyncio.sleep(REDIS_PAUSE)
    await clock.advance(seconds)


class Operator(Tab):
    """A live page, which applies the frames that it receives."""

    def __init__(self, key: str | None = None, **options: Any) -> None:
        super().__init__(key, path=LIVE_PATH, **options)
        self.query = 0
        self.frames: list[dict[str, Any]] = []
        self.sizes: list[int] = []
        self.arrived: list[float] = []
        self.page: dict[str, Any] = {}
        self.rows: dict[str, dict[str, Any]] = {}
        self.order: list[str] = []
        self.samples: list[list[float]] = []

    async def frame(self) -> dict[str, Any]:
        message = await self.output()
        assert message["type"] == "websocket.send", message
        text = message["text"]
        self.sizes.append(len(text))
        self.arrived.append(current_process().clock.ticks())
        frame: dict[str, Any] = json.loads(text)
        self.frames.append(frame)
        return frame

    async def output(self) -> dict[str, Any]:
        """Return what the server sends next; time passes until then."""
        for _ in range(round(FRAME_TIMEOUT / STEP) if is_advanced() else 0):
            if not self.socket.output_queue.empty():
                break
            await pass_time(STEP)
        output: dict[str, Any] = await self.socket.receive_output(WITHIN)
        return output

    async def close_code(self) -> int:
        """Return the code with which the server closes, before it sends anything else."""
        message = await self.output()
        assert message["type"] == "websocket.close", message
        return int(message["code"])

    async def ask(self, **query: Any) -> dict[str, Any]:  # type: ignore[override]
        """Ask for something; return the page that comes."""
        self.query += 1
        await self.say("watch", query=self.query, **query)
        while True:
            frame = await self.next()
            if frame["type"] == "page" and frame["query"] == self.query:
                return frame

    async def next(self) -> dict[str, Any]:
        """Take a frame, work it in and say so."""
        frame = await self.frame()
        if frame["type"] in {"page", "changes"}:
            self.work_in(frame)
        await self.say("seen", frame=frame["frame"])
        return frame

    def work_in(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "page":
            self.rows = {row["id"]: row for row in frame["rows"]}
            self.order = list(self.rows)
            self.samples = frame["samples"]
        else:
            for watch_id, changed in frame.get("rows", {}).items():
                self.rows[watch_id] = self.rows.get(watch_id, {}) | changed
            self.order = frame.get("order", self.order)
            self.rows = {watch_id: self.rows[watch_id] for watch_id in self.order}
            self.samples += frame.get("samples", [])
        self.page |= {name: value for name, value in frame.items() if name not in {"rows", "order", "samples"}}

    async def until(self, holds: Callable[[Operator], bool], within: float = WITHIN) -> None:
        """Go on taking frames until something holds of what the page shows."""
        async with asyncio.timeout(within):
            while not holds(self):
                await self.next()

    async def is_told_nothing(self, seconds: float = 1.6) -> bool:
        """Return whether nothing comes for more than a round."""
        if not is_advanced():
            return await self.socket.receive_nothing(seconds)
        for _ in range(round(seconds / STEP)):
            await pass_time(STEP)
        return await self.socket.receive_nothing(0.001)

    async def closed_at(self) -> int:
        """Return the code with which the server closes, whatever it sends before."""
        while (message := await self.output())["type"] != "websocket.close":
            pass
        return int(message["code"])


@asynccontextmanager
async def watching(key: str, **options: Any) -> AsyncIterator[Operator]:
    """Open a live page, and close it."""
    operator = Operator(key, **options)
    assert await operator.is_accepted()
    try:
        yield operator
    finally:
        with suppress(Exception):
            await operator.leave()
