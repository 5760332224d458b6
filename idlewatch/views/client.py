"""The HTTP endpoints of the browser client: state, messages, page tokens, sign-out."""

from __future__ import annotations

from django.contrib.auth import logout as auth_logout
from django.contrib.auth.decorators import login_not_required, login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe
from msgspec.structs import replace

from idlewatch import metrics
from idlewatch.conf import conf
from idlewatch.core.events import Event, Polled
from idlewatch.core.messages import event_of
from idlewatch.core.protocol import MAX_MESSAGE_SIZE, ActivityMessage, ErrorCode, ErrorFrame, encode, parse
from idlewatch.decorators import outside_transactions
from idlewatch.exceptions import BadMessage, HoldRefused
from idlewatch.http.bodies import body_of
from idlewatch.http.i18n import ui_context
from idlewatch.http.page_tokens import PageOwner, foreign_frame, page_owner_of, token_of
from idlewatch.http.request_state import state_of
from idlewatch.http.responses import StateResponse
from idlewatch.http.session_state import SessionState
from idlewatch.http.site_urls import login_url_of, login_url_with_next
from idlewatch.http.templates import template_response
from idlewatch.monitor import service as monitor
from idlewatch.process import now
from idlewatch.views.reauthentication import accept_proof, safe_next


@outside_transactions
@require_safe
@never_cache
@login_not_required
def state(request: HttpRequest) -> HttpResponse:
    """Return the state frame to a page."""
    return _answer(request, None)


@outside_transactions
@require_POST
@never_cache
@login_not_required
@csrf_exempt
def message(request: HttpRequest) -> HttpResponse:
    """Handle a message of a page without a socket; return the state frame."""
    # Before the CSRF check: a page of another user has an old token, and must learn that its session has ended.
    if page_owner_of(request) in {None, PageOwner.FOREIGN}:
        return _answer(request, None)
    return _handle(request)


@csrf_protect
def _handle(request: HttpRequest) -> HttpResponse:
    try:
        received = parse(body_of(request, MAX_MESSAGE_SIZE))
        response = _answer(request, event_of(received))
    except BadMessage as error:
        return _refuse(ErrorFrame(ErrorCode(error.code), error.detail))
    except HoldRefused as error:
        return _refuse(ErrorFrame(ErrorCode.HOLD_REFUSED, str(error)))
    if isinstance(received, ActivityMessage) and response.status_code == 200:
        metrics.HEARTBEAT_BY_HTTP.inc()
    return response


@require_safe
@never_cache
@login_not_required
def page(request: HttpRequest) -> HttpResponse:
    """Return whether a page belongs to the browser's current session, with the tokens to continue in it."""
    owner = page_owner_of(request)
    watched = state_of(request).session.watched
    if owner is None or watched is None:
        return _answer(request, None)
    if owner is PageOwner.FOREIGN:
        return JsonResponse({"page": owner})
    return JsonResponse({"page": owner, "token": token_of(watched), "csrf": get_token(request)})


@outside_transactions
@require_safe
@never_cache
@login_required
def signed_in(request: HttpRequest) -> HttpResponse:
    """Show the page that follows a sign-in in a small window: it informs the other tabs and closes.

    Opening it changes nothing by itself; a reauthentication since the sign-in restarts the clocks.
    """
    accept_proof(request)
    return template_response(request, "idlewatch/signed_in.html", ui_context() | {"home": conf.home_url})


@require_POST
@csrf_protect
def logout(request: HttpRequest) -> HttpResponseBase:
    """Sign the user out, from the warning or the page of active sessions (ASVS 7.4.4); by `next`, to sign in again."""
    after = safe_next(request)
    auth_logout(request)
    if after is not None:
        return HttpResponseRedirect(login_url_with_next(request, after))
    return HttpResponseRedirect(conf.logout_redirect_url)


def _answer(request: HttpRequest, event: Event | None) -> HttpResponse:
    state, owner = state_of(request), page_owner_of(request)
    if owner is PageOwner.FOREIGN:
        # A page of another user must not keep this session alive.
        return StateResponse(foreign_frame(login_url_of(request)), 401, now())
    watch_id = state.watch_id
    if watch_id is not None:
        at = now()
        # A page that asks is open: its browser, taken for closed, is not.
        watched = monitor.look(watch_id, at, Polled())
        if event is not None:
            watched = monitor.look(watch_id, at, event)
        if watched is not None:
            answered = SessionState.at(watched, now())
            # The store may have taken its time; but nothing ends by a clock that it was not asked with.
            state.change.state = SessionState.at(watched, at) if answered.is_ended else answered
    frame = replace(state.frame, page=owner) if owner is PageOwner.RENEWED else state.frame
    return StateResponse(frame, 401 if state.watch_id is None else 200, now())


def _refuse(error: ErrorFrame) -> HttpResponse:
    return HttpResponse(encode(error), status=400, content_type="application/json")
