"""The middleware: it admits a request before the view runs, and follows the session afterwards."""

from __future__ import annotations

import logging
from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.apps import apps
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import SimpleTemplateResponse

from idlewatch.exceptions import Undecided
from idlewatch.http.admin_pages import insert_client
from idlewatch.http.admission import admit
from idlewatch.http.caching import CONDITIONS, ignore_conditions
from idlewatch.http.classification import is_client_endpoint
from idlewatch.http.follow_up import asks_nothing, end_response, follow, has_changed_session
from idlewatch.http.login_views import needs_no_login
from idlewatch.http.request_session import (
    cookie_of,
    has_session,
    hide_cookie,
    make_anonymous,
    make_anonymous_before_sign_in,
    session_of,
)
from idlewatch.http.request_state import RequestState, attach_state, find_state
from idlewatch.http.requests_under_way import Answering
from idlewatch.http.responses import undecided_response
from idlewatch.http.undecided import refuse
from idlewatch.process import Lane, in_thread, now

logger = logging.getLogger("idlewatch")


class IdleWatchMiddleware:
    """Ends sessions whose limits have passed before a view runs, and follows the others through their views.

    It stands in `MIDDLEWARE` after Django's `AuthenticationMiddleware` and before `LoginRequiredMiddleware`.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer a request: admit, view, follow."""
        if self._is_async:
            return self.__acall__(request)
        state, response = enter(request)
        answering = Answering(request, state)
        try:
            return follow(request, self.get_response(request) if response is None else response, state)
        finally:
            answering.leave()

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        """Async version of `__call__`. Sessions and records are sync: what may ask them runs in Django's thread."""
        state, response = await in_thread(Lane.REQUEST, enter, request) if has_session(request) else enter(request)
        answering = Answering(request, state)
        try:
            if response is None:
                response = await self._answer(request, state)
            left = now()
            if (cookie_of(request) or session_of(request).accessed) and not asks_nothing(
                request, response, state, left
            ):
                return await in_thread(Lane.REQUEST, follow, request, response, state)
            return follow(request, response, state, left)
        finally:
            answering.leave()

    async def _answer(self, request: HttpRequest, state: RequestState) -> HttpResponseBase:
        try:
            return cast("HttpResponseBase", await self.get_response(request))
        except CancelledError:
            # The client has gone. As after an error, its browser keeps the session with which the request came.
            state.is_abandoned = True
            if has_changed_session(state):
                await in_thread(Lane.REQUEST, follow, request, HttpResponse(status=500), state)
            raise

    def process_template_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Complete a page of the admin when it is rendered: before another middleware has written a policy's nonce."""
        # Anything with a method `render` gets here.
        if isinstance(response, SimpleTemplateResponse):
            response.add_post_render_callback(partial(insert_client, request))
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        """Answer 503 for a view that needed the session's state when it could not be determined; the client retries."""
        if isinstance(exception, DatabaseError) and is_client_endpoint(request):
            # The text of others may quote the row, and so a session key: that of a violated constraint does.
            is_harmless = isinstance(exception, OperationalError | InterfaceError)
            reason = str(exception) if is_harmless else type(exception).__name__
            logger.error("The database failed (%s): a page's client was answered with 503.", reason)
            return undecided_response(request, Undecided(reason))
        return undecided_response(request, exception) if isinstance(exception, Undecided) else None


def enter(request: HttpRequest) -> tuple[RequestState, HttpResponseBase | None]:
    """Admit a request and set `request.idlewatch`; return that, and the response where no view may run."""
    if not hasattr(request, "session"):
        session_of(request)
    refused = find_state(request) if hasattr(request, "idlewatch") else None
    if refused is not None and refused.admission.undecided is not None:
        # A middleware before this one was to sign the user in.
        return refused, refuse(request, refused.admission.undecided)
    state = attach_state(request)
    state.admission = admit(request, state.admission.arrived, state.navigates)
    if state.admission.undecided is not None:
        return state, refuse(request, state.admission.undecided)
    if not request.META.keys().isdisjoint(CONDITIONS):
        ignore_conditions(request)
    if not state.admission.state.is_ended:
        return state, None
    hide_cookie(request)
    if apps.is_installed("idlewatch.drafts"):
        from idlewatch.drafts import rejected_forms  # noqa: PLC0415 - an app that may not be installed

        # Before the session is flushed: its data may prove that the form is the site's own.
        rejected_forms.store(request, state.admission)
    if request.method in {"GET", "HEAD"}:
        make_anonymous(request)
        return state, None
    if needs_no_login(request):
        make_anonymous_before_sign_in(request)
        return state, None
    make_anonymous(request)
    return state, end_response(request)
