"""The live socket: one consumer for each open live page."""

from __future__ import annotations

import logging
from typing import Any

from channels.exceptions import StopConsumer
from django.db import Error as DatabaseError
from django.http import HttpRequest

from idlewatch import metrics
from idlewatch.conf import conf
from idlewatch.consumers.authentication import find_watch
from idlewatch.consumers.base import Socket
from idlewatch.consumers.origin import is_same_origin, request_of
from idlewatch.core.policy import Phase
from idlewatch.core.protocol import Close, ErrorCode
from idlewatch.exceptions import BadMessage, Undecided
from idlewatch.live.authorization import permitted
from idlewatch.live.query import WatchMessage, parse
from idlewatch.live.reader import reader_of
from idlewatch.live.subscriber import Subscriber
from idlewatch.process import Lane, current_process, in_thread, now
from idlewatch.runtime.hub import Hub
from idlewatch.runtime.runtime import runtime_of
from idlewatch.signals import event_log

MAX_PAGES = 20
"""Live pages that one session may have open in a process: one more is refused."""


class LiveConsumer(Socket):
    """One operator's live page. It says what it shows, and is told what becomes of that.

    Watching is no activity, and the socket is no tab: the page has one of those beside it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._hub: Hub | None = None
        self._viewer: Subscriber | None = None

    async def connect(self) -> None:
        """Accept an operator from this site, and wait for what their page asks for."""
        request = request_of(dict(self.scope))
        if not is_same_origin(request):
            # A refused handshake is a bare 403.
            await self.close()
            return
        try:
            operator, may = await in_thread(Lane.DATABASE, find_operator, request)
        except (DatabaseError, Undecided):
            # Nobody can tell just now; the page comes back.
            await self.accept()
            await self._shut(Close.GOING_AWAY)
            return
        # A close before the accept could not be read by the page.
        await self.accept()
        if operator is None:
            await self._shut(Close.ENDED)
            return
        if not may:
            event_log.log_event("live_page_refused", level=logging.WARNING, watch_id=operator[0], user=operator[1])
            await self._shut(Close.FORBIDDEN)
            return
        watch_id, user = operator
        if reader_of(current_process()).pages_of(watch_id) >= MAX_PAGES:
            await self._shut(Close.TOO_MANY)
            return
        self._hub = runtime_of(current_process()).hub
        self._hub.admit(self)
        if self._hub.dismissed:
            await self._shut(Close.GOING_AWAY)
            # Nobody will hear the page's answer any more.
            raise StopConsumer
        self._viewer = Subscriber(current_process(), watch_id, user, self._tell, self._shut)
        metrics.OPERATORS.inc()
        event_log.log_event("live_page_opened", watch_id=watch_id, user=user)
        reader_of(current_process()).join(self._viewer)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Do what a message says; stay open after a bad one."""
        viewer = self._viewer
        if self._closing or viewer is None:
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
            viewer.watches(message)
        else:
            viewer.has_seen(message.frame)
        if viewer.waits:
            reader_of(current_process()).answer(viewer)

    async def disconnect(self, code: int | None) -> None:
        """Note that the operator went."""
        await self._leave()

    async def _tell(self, frame: str) -> None:
        if not self._closing:
            await self.send(text_data=frame)

    async def _leave(self) -> None:
        if self._viewer is not None:
            metrics.OPERATORS.dec()
            reader_of(current_process()).leave(self._viewer)
        if self._hub is not None:
            self._hub.release(self)
        self._viewer = self._hub = None


def find_operator(request: HttpRequest) -> tuple[tuple[str, str] | None, bool]:
    """Return the watch and the user behind a handshake, None where no session lives, and whether they may watch."""
    watched, _ = find_watch(request.COOKIES.get(conf.session_cookie_name))
    if watched is None or watched.verdict(now()).phase is Phase.ENDED:
        return None, False
    return (watched.id, watched.user), watched.user in permitted([watched.user])
