"""What pages ask over HTTP, and what an orchestrator does."""

from __future__ import annotations

from django.contrib.auth import logout as auth_logout
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.request import RawPostDataException
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_POST, require_safe

from idlewatch import health, monitor
from idlewatch.clock import now
from idlewatch.conf import conf
from idlewatch.events import Called, Event
from idlewatch.exceptions import BadMessage, HoldRefused
from idlewatch.messages import event_of
from idlewatch.protocol import MAX_FRAME, ErrorCode, ErrorFrame, Frame, encode, parse
from idlewatch.watching import watch_of


@require_safe
@never_cache
@login_not_required
def state(request: HttpRequest) -> HttpResponse:
    """Tell a page how its session stands."""
    return _answer(request, None)


@require_POST
@never_cache
@login_not_required
@csrf_protect
def message(request: HttpRequest) -> HttpResponse:
    """Do what a page says that has no socket, and tell it how its session stands."""
    if watch_of(request).watch is None:
        return _answer(request, None)
    try:
        return _answer(request, event_of(parse(_body_of(request))))
    except BadMessage as error:
        return _json(ErrorFrame(ErrorCode(error.code), error.detail), 400)
    except HoldRefused as error:
        return _json(ErrorFrame(ErrorCode.HOLD_REFUSED, str(error)), 400)


@require_POST
@csrf_protect
def logout(request: HttpRequest) -> HttpResponseBase:
    """Sign the user out: the warning offers it (ASVS 7.4.4)."""
    auth_logout(request)
    return HttpResponseRedirect(conf.logout_redirect_url)


def _body_of(request: HttpRequest) -> bytes:
    try:
        return request.body
    except RequestDataTooBig as error:
        raise BadMessage(ErrorCode.TOO_LARGE, f"Expected at most {MAX_FRAME} bytes.") from error
    except RawPostDataException as error:
        raise BadMessage(ErrorCode.BAD_JSON, f"Expected JSON, got {request.content_type}.") from error


def _answer(request: HttpRequest, event: Event | None) -> HttpResponse:
    watch = watch_of(request)
    if watch.watch is not None:
        at = now()
        # Whoever asks is there: a browser that was taken for closed is not.
        watched = monitor.look(watch.watch, at, Called())
        if event is not None:
            watched = monitor.look(watch.watch, at, event)
        if watched is not None:
            watch.follow(watched, at)
    return _json(watch.frame, 401 if watch.watch is None else 200)


def _json(frame: Frame, status: int) -> HttpResponse:
    return HttpResponse(encode(frame), status=status, content_type="application/json")


@require_safe
@never_cache
@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """Say that the process is up."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@never_cache
@login_not_required
async def readyz(request: HttpRequest) -> JsonResponse:
    """Say whether the process can do its work: database, store, channel layer and timer."""
    problems = await health.problems()
    return JsonResponse({"ready": not problems, "problems": problems}, status=503 if problems else 200)
