"""Where pages keep what their user is typing, and get it back. Passive: a draft that is saved shows nobody there."""

from __future__ import annotations

from typing import Annotated, cast

import msgspec
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from msgspec import Meta, Struct

from idlewatch.conf import conf
from idlewatch.core.activity import Reason
from idlewatch.core.clock import now
from idlewatch.core.protocol import ErrorCode, ErrorFrame, Frame, no_session_frame
from idlewatch.drafts import service as drafts
from idlewatch.drafts.redaction import Field
from idlewatch.exceptions import BadMessage
from idlewatch.http.bodies import body_of
from idlewatch.http.page_tokens import PageOwner, foreign_frame, page_owner_of
from idlewatch.http.request_watch import watch_of

MAX_BODY = drafts.MAX_SIZE + 16_384
"""Bytes of a request; what stands beside the fields is bounded by itself."""
METHODS = ("GET", "HEAD", "POST")


class DraftMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """What stands in a form; without fields: it was sent, or is not wanted any more."""

    page: str
    """The page's path with its query."""
    # PostgreSQL stores no NUL.
    form: Annotated[str, Meta(min_length=1, max_length=drafts.MAX_FORM, pattern=r"^[^\x00]*$")]
    fields: list[Field] | None


class Found(Struct, frozen=True):
    """What is kept of a page's forms."""

    drafts: list[drafts.Kept]


class Saved(Struct, frozen=True):
    """Since when a form is kept, in epoch seconds; null where it is not."""

    saved: float | None


@never_cache
@login_not_required
@csrf_exempt
def keep(request: HttpRequest) -> HttpResponse:
    """Give a page what is kept of its forms, or keep what it sends."""
    # First: the CSRF token of a page whose user has gone is old, and the page is to hear why it is turned away.
    frame = _turned_away(request)
    if frame is not None:
        return _json(frame, 401)
    if not drafts.is_on():
        raise Http404("IDLEWATCH['DRAFT_AGE'] is 0: no drafts are kept.")
    if request.method not in METHODS:
        expected = f"Expected {', '.join(METHODS[:-1])} or {METHODS[-1]}, got {request.method}."
        refusal = _json(ErrorFrame(ErrorCode.BAD_MESSAGE, expected), 405)
        refusal.headers["Allow"] = ", ".join(METHODS)
        return refusal
    try:
        # Django's check would read a form for its token.
        body = body_of(request, MAX_BODY) if request.method == "POST" else b""
        return _answer(request, body)
    except BadMessage as error:
        code = ErrorCode(error.code)
        return _json(ErrorFrame(code, error.detail), 413 if code is ErrorCode.TOO_LARGE else 400)


@csrf_protect
def _answer(request: HttpRequest, body: bytes) -> HttpResponse:
    return _json(_keep(request, body) if request.method == "POST" else _find(request), 200)


def _turned_away(request: HttpRequest) -> Frame | None:
    """Return what a page is told that has no session, or whose user is another than the session's, or no user now."""
    watch = watch_of(request)
    belongs = page_owner_of(request)
    if belongs is None:
        return watch.frame
    if belongs is PageOwner.FOREIGN:
        return foreign_frame()
    # The account was disabled, or its password changed, and nobody has ended the session yet: the middleware does now.
    return None if request.user.is_authenticated else no_session_frame(Reason.ACCOUNT, conf.login_url)


def _find(request: HttpRequest) -> Found:
    page = request.GET.get("page")
    if page is None:
        raise BadMessage(ErrorCode.BAD_VALUE, "Expected ?page= with the path of a page, got none.")
    return Found(drafts.find(_user(request), page, now()))


def _keep(request: HttpRequest, body: bytes) -> Saved:
    message, at = parse(body), now()
    if message.fields is None:
        drafts.forget(_user(request), message.page, message.form)
        return Saved(None)
    return Saved(at if drafts.save(_user(request), message.page, message.form, message.fields, at) else None)


def parse(body: bytes) -> DraftMessage:
    """Decode what a page sends.

    Raises:
        BadMessage: with what came beside what was expected.
    """
    try:
        return msgspec.json.decode(body, type=DraftMessage)
    except msgspec.ValidationError as error:
        code = ErrorCode.BAD_VALUE if " - at `$." in str(error) else ErrorCode.BAD_MESSAGE
        raise BadMessage(code, f"{error}.") from error
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise BadMessage(ErrorCode.BAD_JSON, f"Expected JSON: {error}.") from error
    except RecursionError as error:
        raise BadMessage(ErrorCode.BAD_MESSAGE, "Expected a flat object, got one nested too deeply.") from error


def _user(request: HttpRequest) -> AbstractBaseUser:
    return cast("AbstractBaseUser", request.user)


def _json(answer: Frame | Found | Saved, status: int) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(answer), status=status, content_type="application/json")
