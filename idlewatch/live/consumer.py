"""The live socket: one consumer for each open live page."""

from __future__ import annotations

import logging
from collections import deque
from typing import Any

from channels.consumer import get_handler_name
from channels.db import database_sync_to_async
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import Error as DatabaseError
from django.http import HttpRequest
from django.utils.translation import get_language_from_request

from idlewatch import journal, metrics
from idlewatch.clock import now
from idlewatch.conf import conf
from idlewatch.consumers import find_watch
from idlewatch.exceptions import BadMessage, Undecided
from idlewatch.hub import Hub
from idlewatch.live.query import WatchMessage, parse
from idlewatch.live.reader import reader
from idlewatch.live.rights import permitted
from idlewatch.live.viewer import Viewer
from idlewatch.origins import is_own, request_of
from idlewatch.policy import Phase
from idlewatch.protocol import MAX_BAD_MESSAGES, MAX_MESSAGES, RATE_WINDOW, Close, ErrorCode, ErrorFrame, encode
from idlewatch.service import service


class LiveConsumer(AsyncWebsocketConsumer):
    """One operator's live page. It says what it shows, and is told what becomes of that.

    Watching is no activity, and the socket is no tab: the page has one of those beside it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._hub: Hub | None = None
        self._viewer: Viewer | None = None
        self._bad_messages = 0
        self._recent: deque[float] = deque()
        self._closing = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - as channels has it
        """Serve a socket. It hears from its reader: it needs no channel layer."""
        self.scope = scope
        self.base_send = send
        try:
            while True:
                await self.dispatch(await receive())
        except StopConsumer:
            return
        finally:
            # `disconnect` does not run where a handler failed, or the server cancelled what took too long.
            self._leave()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Handle a message, without the hop to a thread that channels makes before each; only connecting needs it."""
        if message["type"] == "websocket.connect":
            await super().dispatch(message)
        else:
            await getattr(self, get_handler_name(message))(message)

    async def connect(self) -> None:
        """Accept an operator from this site, and wait for what their page asks for."""
        request = request_of(dict(self.scope))
        if not is_own(request):
            # A refused handshake is a bare 403.
            await self.close()
            return
        try:
            operator, may = await database_sync_to_async(find_operator)(request)
        except (DatabaseError, Undecided):
            # Nobody can tell just now; the page comes back.
            await self.accept()
            await self.dismiss()
            return
        # A close before the accept could not be read by the page.
        await self.accept()
        if operator is None:
            await self._shut(Close.ENDED)
            return
        if not may:
            journal.note("live_page_refused", level=logging.WARNING, watch=operator[0], user=operator[1])
            await self._shut(Close.FORBIDDEN)
            return
        self._hub = service().hub
        self._hub.admit(self)
        if self._hub.dismissed:
            await self.dismiss()
            # Nobody will hear the page's answer any more.
            raise StopConsumer
        watch, user = operator
        self._viewer = Viewer(watch, user, language_of(request), self._tell, self._shut)
        metrics.OPERATORS.inc()
        journal.note("live_page_opened", watch=watch, user=user)
        reader().join(self._viewer)

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
            reader().answer(viewer)

    async def disconnect(self, code: int | None) -> None:
        """Note that the operator went."""
        self._leave()

    async def dismiss(self) -> None:
        """Close because the server is going away; the page comes back."""
        await self._shut(Close.GOING_AWAY)

    async def _tell(self, frame: str) -> None:
        if not self._closing:
            await self.send(text_data=frame)

    async def _shut(self, code: Close) -> None:
        if not self._closing:
            self._closing = True
            await self.close(code=int(code))

    async def _refuse(self, code: ErrorCode, detail: str) -> None:
        await self.send(text_data=encode(ErrorFrame(code, detail)))
        self._bad_messages += 1
        if self._bad_messages >= MAX_BAD_MESSAGES:
            await self._shut(Close.BAD_MESSAGES)

    def _leave(self) -> None:
        if self._viewer is not None:
            metrics.OPERATORS.dec()
            reader().leave(self._viewer)
        if self._hub is not None:
            self._hub.release(self)
        self._viewer = self._hub = None

    def _is_flooding(self, at: float) -> bool:
        recent = self._recent
        while recent and recent[0] <= at - RATE_WINDOW:
            recent.popleft()
        recent.append(at)
        return len(recent) > MAX_MESSAGES


def find_operator(request: HttpRequest) -> tuple[tuple[str, str] | None, bool]:
    """Return the watch and the user behind a handshake, None where no session lives, and whether they may watch."""
    watched, _ = find_watch(request.COOKIES.get(conf.session_cookie_name))
    if watched is None or watched.verdict(now()).phase is Phase.ENDED:
        return None, False
    return (watched.id, watched.user), watched.user in permitted([watched.user])


def language_of(request: HttpRequest) -> str:
    """Return the language of the operator's admin, as Django's middleware finds it for a page."""
    if settings.USE_I18N and any(name.endswith(".LocaleMiddleware") for name in settings.MIDDLEWARE):
        return get_language_from_request(request)
    return str(settings.LANGUAGE_CODE)
