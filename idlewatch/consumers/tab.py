"""The consumer of one open tab."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress
from functools import partial
from typing import Any

from channels.exceptions import StopConsumer
from django.db import Error as DatabaseError
from msgspec import UNSET, UnsetType

from idlewatch import metrics
from idlewatch.conf import conf
from idlewatch.consumers.base import Socket
from idlewatch.consumers.handshakes import authenticate
from idlewatch.consumers.origin import is_same_origin, request_of
from idlewatch.core.activity import Reason
from idlewatch.core.events import TabClosed, TabOpened, TabsCounted
from idlewatch.core.messages import event_of
from idlewatch.core.policy import Phase
from idlewatch.core.protocol import (
    CLEAN_CLOSES,
    ActivityMessage,
    Close,
    ErrorCode,
    ErrorFrame,
    Message,
    add_login_url,
    encode,
    no_session_frame,
    parse,
    state_frame,
)
from idlewatch.exceptions import BadMessage, HoldRefused, StoreUnavailable, TooManyTabs, Undecided
from idlewatch.http.page_tokens import PageOwner, foreign_frame, page_owner, token_in
from idlewatch.monitor import service as monitor
from idlewatch.monitor import stores
from idlewatch.monitor.heartbeats import MIN_WARNING, Heartbeat, Heartbeats
from idlewatch.process import current_process, now
from idlewatch.runtime.hub import Hub, Hubs
from idlewatch.runtime.runtime import runtime_of
from idlewatch.store.values import Touch, Watched


class TabConsumer(Socket):
    """One tab: it reports its user's activity, and receives the state of the session.

    A heartbeat is one store call, with others where the store is shared: no thread, no channel layer, no database, no
    user, no reply.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._hub: Hub | None = None
        self._watch_id: str | None = None
        self._heartbeats: Heartbeats | None = None
        self._counted = False
        self._login_url: str | UnsetType = UNSET

    async def connect(self) -> None:
        """Accept a tab of this site, and send it the state of its session."""
        request = request_of(dict(self.scope))
        if not is_same_origin(request):
            # A refused handshake is a bare 403.
            await self.close()
            return
        try:
            session, reason, self._login_url = await authenticate(request)
        except (DatabaseError, Undecided):
            # The session's state cannot be determined right now; the page reconnects.
            await self.accept()
            await self._shut(Close.GOING_AWAY)
            return
        # A close before the accept could not be read by the page.
        await self.accept()
        token = token_in(request)
        if session is None:
            await self._end(encode(no_session_frame(reason)))
        elif page_owner(token, session) is PageOwner.FOREIGN:
            await self._end(encode(foreign_frame()))
        else:
            await self._join(session.id, token)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Handle a message; stay open after a bad one."""
        at = now()
        if self._closing:
            return
        if self._is_flooding(at):
            await self._shut(Close.TOO_MANY)
            return
        try:
            message = parse(text_data)
        except BadMessage as error:
            await self._refuse(ErrorCode(error.code), error.detail)
            return
        watch_id = self._watch_id or ""
        touch = Touch(watch_id, at - message.ago, at) if isinstance(message, ActivityMessage) else None
        if touch is not None and self._heartbeats is None and monitor.collect(touch):
            return
        look = partial(monitor.alook, watch_id, at, event_of(message))
        if (
            touch is not None
            and self._hub is not None
            and self._heartbeats is not None
            and not self._hub.shows_warning(watch_id)
            and self._heartbeats.add(Heartbeat(touch, look, partial(self._answer, message)))
        ):
            return
        await self._answer(message, look())

    async def _answer(self, message: Message, looking: Awaitable[Watched | None]) -> None:
        """Tell the tab what a message has led to, where it has to be told."""
        try:
            watched = await looking
        except HoldRefused as error:
            await self.send(text_data=encode(ErrorFrame(ErrorCode.HOLD_REFUSED, str(error))))
            return
        except StoreUnavailable:
            # The activity waits until the store is back; `activity` has no reply.
            return
        except (DatabaseError, Undecided):
            await self._shut(Close.GOING_AWAY)
            return
        # Activity that comes after a deadline makes the end final.
        if isinstance(message, ActivityMessage) and watched is not None and watched.activity.ended is None:
            metrics.HEARTBEAT_BY_SOCKET.inc()
            if current_process().name not in watched.activity.tabs:
                await self._count_again(watched)
            return
        await self._tell_state(watched)

    async def disconnect(self, code: int | None) -> None:
        """Record that the tab has gone, and whether it was closed cleanly."""
        await self._leave(closed=code in CLEAN_CLOSES)

    def tell(self, frame: str, *, ended: bool) -> Awaitable[None]:
        """Return what sends a change, unless the socket is closing; the hub calls this."""
        if ended or self._closing:
            return self._tell_end(frame)
        # `send` does the same by two more calls, and thousands of tabs may be notified at once.
        message: Any = {"type": "websocket.send", "text": frame}
        sending: Awaitable[None] = self.base_send(message)
        return sending

    async def _tell_end(self, frame: str) -> None:
        if not self._closing:
            await self._end(frame)

    async def _join(self, watch_id: str, token: str | None) -> None:
        """Count the tab as open, and send it the state; `token` is its page's."""
        # Joined before the state is read, so that no change falls between.
        hub = runtime_of(current_process()).hub
        self._hub, self._watch_id = hub, watch_id
        self._heartbeats = stores.heartbeats_of(current_process())
        hub.join(watch_id, self)
        if hub.dismissed:
            await self._shut(Close.GOING_AWAY)
            # The answer of the page would reach no handler.
            raise StopConsumer
        try:
            with hub.counting(watch_id):
                watched = await monitor.alook(watch_id, now(), TabOpened(current_process().name, conf.max_tabs))
            self._counted = True
            watched = await _count_right(hub, watched)
        except TooManyTabs:
            # It must not be counted as an open tab.
            await self._leave()
            await self._shut(Close.TOO_MANY)
        except (DatabaseError, Undecided):
            await self._leave()
            await self._shut(Close.GOING_AWAY)
        else:
            renewed = watched is not None and page_owner(token, watched) is PageOwner.RENEWED
            await self._tell_state(watched, PageOwner.RENEWED if renewed else UNSET)

    async def _count_again(self, watched: Watched) -> None:
        """Count the tabs here again: this process was taken for dead, or the store lost their number."""
        # What can't be counted now is counted with the next activity.
        with suppress(StoreUnavailable, Undecided, DatabaseError):
            if self._hub is not None and not self._hub.dismissed:
                await _count_right(self._hub, watched)

    async def _tell_state(self, watched: Watched | None, page: str | UnsetType = UNSET) -> None:
        at = now()
        if watched is None:
            await self._end(encode(no_session_frame(Reason.LOST)))
            return
        verdict = watched.verdict(at)
        if verdict.phase is Phase.ENDED and watched.activity.ended is None:
            # What a page has received is final, also for a process whose clock is a little behind.
            try:
                watched = await stores.current().sessions.aend(watched.id, None, at)
            except Undecided:
                await self._shut(Close.GOING_AWAY)
                return
            verdict = watched.verdict(at)
        if self._hub is not None:
            self._hub.note_shown(watched.id, verdict.shown)
        if watched.policy.warn_before < MIN_WARNING:
            # Another process may judge the end meanwhile, and no warning comes first that activity would take back.
            self._heartbeats = None
        frame = encode(state_frame(verdict, watched.policy, watched.version, page=page))
        await self.tell(frame, ended=verdict.phase is Phase.ENDED)

    async def _end(self, frame: str) -> None:
        # The store counts no tabs of a session that has ended: that this one goes need not be reported.
        self._counted = False
        await self.send(text_data=add_login_url(frame, self._login_url))
        await self._shut(Close.ENDED)

    async def _leave(self, *, closed: bool = False) -> None:
        watch_id, self._watch_id = self._watch_id, None
        if watch_id is None or self._hub is None:
            return
        self._hub.leave(watch_id, self)
        # A process that shuts down gives all its tabs back at once.
        if self._counted and not self._hub.dismissed:
            # While the store is away, tabs are not counted.
            with suppress(StoreUnavailable, Undecided):
                closing = TabClosed(current_process().name, closed)
                with self._hub.counting(watch_id):
                    watched = await stores.current().sessions.aapply(watch_id, closing, now())
                await _count_right(self._hub, watched)


async def _count_right(hub: Hub, watched: Watched | None) -> Watched | None:
    """Repair the tab count if a recount raced with this open or close; return the session.

    A recount may have read the number of tabs before or after this one opened or closed.
    """
    process = current_process()
    while watched is not None and watched.activity.ended is None and not hub.is_counting(watched.id):
        counted, here = watched.activity.tabs, process.part(Hubs).count(watched.id)
        if counted.get(process.name, 0) == here:
            break
        watched = await stores.current().sessions.aapply(watched.id, TabsCounted(process.name, here), now())
        if watched is not None and watched.activity.tabs == counted:
            # The store is away, and keeps no counts.
            break
    return watched
