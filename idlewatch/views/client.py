"""The endpoints of the browser client, over HTTP: state, messages, page tokens, signing out."""

from __future__ import annotations

from django.contrib.auth import logout as auth_logout
from django.contrib.auth.decorators import login_not_required, login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe
from msgspec.structs import replace

from idlewatch import metrics
from idlewatch.conf import conf
from idlewatch.core.clock import now
from idlewatch.core.events import Event, Polled
from idlewatch.core.messages import event_of
from idlewatch.core.protocol import MAX_MESSAGE_SIZE, ActivityMessage, ErrorCode, ErrorFrame, Frame, encode, parse
from idlewatch.exceptions import BadMessage, HoldRefused
from idlewatch.http.bodies import body_of
from idlewatch.http.i18n import direction_of_words, language_of_words
from idlewatch.http.page_tokens import PageOwner, foreign_frame, page_owner_of, token_of
from idlewatch.http.request_state import state_of
from idlewatch.http.session_state import SessionState
from idlewatch.monitor import service as monitor


@require_safe
@never_cache
@login_not_required
def state(request: HttpRequest) -> HttpResponse:
    """Tell a page how its session stands."""
    return _answer(request, None)


@require_POST
@never_cache
@login_not_required
@csrf_exempt
def message(request: HttpRequest) -> HttpResponse:
    """Do what a page says that has no socket, and tell it how its session stands."""
    # First: the CSRF token of a page whose user has gone is old, and the page is to hear that its session is over.
    if page_owner_of(request) in {None, PageOwner.FOREIGN}:
        return _answer(request, None)
    return _hear(request)


@csrf_protect
def _hear(request: HttpRequest) -> HttpResponse:
    try:
        said = parse(body_of(request, MAX_MESSAGE_SIZE))
        response = _answer(request, event_of(said))
    except BadMessage as error:
        return _json(ErrorFrame(ErrorCode(error.code), error.detail), 400)
    except HoldRefused as error:
        return _json(ErrorFrame(ErrorCode.HOLD_REFUSED, str(error)), 400)
    if isinstance(said, ActivityMessage) and response.status_code == 200:
        metrics.HEARTBEAT_BY_HTTP.inc()
    return response


@require_safe
@never_cache
@login_not_required
def page(request: HttpRequest) -> HttpResponse:
    """Tell a page whether the session that the browser has now is its own, and give it what it needs to go on in it."""
    belongs = page_owner_of(request)
    watched = state_of(request).session.watched
    if belongs is None or watched is None:
        return _answer(request, None)
    if belongs is PageOwner.FOREIGN:
        return JsonResponse({"page": belongs})
    return JsonResponse({"page": belongs, "token": token_of(watched), "csrf": get_token(request)})


@require_safe
@never_cache
@login_required
def signed_in(request: HttpRequest) -> HttpResponse:
    """Show the page on which signing in again in a small window ends: it tells the other tabs, and closes."""
    words = {"language": language_of_words(), "direction": direction_of_words()}
    return render(request, "idlewatch/signed_in.html", {"home": conf.home_url, **words})


@require_POST
@csrf_protect
def logout(request: HttpRequest) -> HttpResponseBase:
    """Sign the user out: the warning offers it (ASVS 7.4.4)."""
    auth_logout(request)
    return HttpResponseRedirect(conf.logout_redirect_url)


def _answer(request: HttpRequest, event: Event | None) -> HttpResponse:
    state, belongs = state_of(request), page_owner_of(request)
    if belongs is PageOwner.FOREIGN:
        # Asking keeps nobody else's session alive.
        return _json(foreign_frame(), 401)
    watch_id = state.session.watch_id
    if watch_id is not None:
        at = now()
        # A page that asks is open: its browser, taken for closed, is not.
        watched = monitor.look(watch_id, at, Polled())
        if event is not None:
            watched = monitor.look(watch_id, at, event)
        if watched is not None:
            state.change.state = SessionState.at(watched, at)
    frame = replace(state.frame, page=belongs) if belongs is PageOwner.RENEWED else state.frame
    return _json(frame, 401 if state.session.watch_id is None else 200)


def _json(frame: Frame, status: int) -> HttpResponse:
    return HttpResponse(encode(frame), status=status, content_type="application/json")
