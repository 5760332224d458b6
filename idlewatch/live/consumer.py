"""The live socket: one consumer for each open live page."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from channels.exceptions import StopConsumer
from django.db import Error as DatabaseError
from django.http import HttpRequest

from idlewatch import metrics
from idlewatch.consumers.authentication import find_session
from idlewatch.consumers.base import Socket
from idlewatch.consumers.origin import is_same_origin, request_of
from idlewatch.core.policy import Phase
from idlewatch.core.protocol import Close, ErrorCode
from idlewatch.exceptions import BadMessage, Undecided
from idlewatch.http.request_session import cookie_of
from idlewatch.live.authorization import permitted_users
from idlewatch.live.query import WatchMessage, parse
from idlewatch.live.reader import reader_of
from idlewatch.live.subscriber import Subscriber
from idlewatch.process import Lane, current_process, in_thread, now
from idlewatch.runtime.hub import Hub
from idlewatch.runtime.runtime import runtime_of
from idlewatch.signals import event_log

MAX_PAGES = 20
"""Live pages that one session may have open in a process; another one is refused."""


class Operator(NamedTuple):
    """The user behind a handshake."""

    watch_id: str
    user: str
    """The primary key, as a string."""
    is_permitted: bool


class LiveConsumer(Socket):
    """The socket of one live page: receives its query, and sends the results and their changes.

    It is neither activity nor a tab: the page has a tab's socket beside it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._hub: Hub | None = None
        self._subscriber: Subscriber | None = None

    async def connect(self) -> None:
        """Accept a permitted operator of the same origin, and wait for a query."""
        request = request_of(dict(self.scope))
        if not is_same_origin(request):
            # A refused handshake is a bare 403.
            await self.close()
            return
        try:
            operator = await in_thread(Lane.DATABASE, find_operator, request)
        except (DatabaseError, Undecided):
            # It cannot be determined right now; the page reconnects.
            await self.accept()
            await self._shut(Close.GOING_AWAY)
            return
        # The page could not read a close before the accept.
        await self.accept()
        if operator is None:
            await self._shut(Close.ENDED)
        elif not operator.is_permitted:
            watch_id, user, _ = operator
            event_log.log_event("live_page_refused", level=logging.WARNING, watch_id=watch_id, user=user)
            await self._shut(Close.FORBIDDEN)
        elif reader_of(current_process()).count_pages(operator.watch_id) >= MAX_PAGES:
            await self._shut(Close.TOO_MANY)
        else:
            await self._join(operator)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Handle a message; stay open after a malformed one."""
        subscriber = self._subscriber
        if self._closing or subscriber is None:
            return
        if self._is_flooding(now()):
            await self._shut(Close.TOO_MANY)
            return
        try:
            message = parse(text_data)
        except BadMessage as error:
            await self._refuse(ErrorCode(error.code), error.detail)
            return
        if isinstance(message, WatchMessage):
            subscriber.set_query(message)
        else:
            subscriber.acknowledge(message.frame)
        if subscriber.awaits_results:
            reader_of(current_process()).read_now(subscriber)

    async def disconnect(self, code: int | None) -> None:
        """Leave the reader and the hub."""
        await self._leave()

    async def _join(self, operator: Operator) -> None:
        process = current_process()
        self._hub = runtime_of(process).hub
        self._hub.admit(self)
        if self._hub.dismissed:
            await self._shut(Close.GOING_AWAY)
            # The server stops, and does not deliver the page's answer.
            raise StopConsumer
        self._subscriber = Subscriber(process, operator.watch_id, operator.user, self._send_frame, self._shut)
        metrics.OPERATORS.inc()
        event_log.log_event("live_page_opened", watch_id=operator.watch_id, user=operator.user)
        reader_of(process).join(self._subscriber)

    async def _send_frame(self, frame: str) -> None:
        if not self._closing:
            await self.send(text_data=frame)

    async def _leave(self) -> None:
        if self._subscriber is not None:
            metrics.OPERATORS.dec()
            reader_of(current_process()).leave(self._subscriber)
        if self._hub is not None:
            self._hub.release(self)
        self._subscriber = self._hub = None


def find_operator(request: HttpRequest) -> Operator | None:
    """Return the operator of a handshake; None without a live session."""
    watched, _ = find_session(cookie_of(request))
    if watched is None or watched.verdict(now()).phase is Phase.ENDED:
        return None
    return Operator(watched.id, watched.user, watched.user in permitted_users([watched.user]))
