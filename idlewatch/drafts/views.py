"""The endpoint at which pages save and load drafts. Passive: saving a draft is no proof that the user is present."""

from __future__ import annotations

from typing import Annotated, cast

import msgspec
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from msgspec import Meta, Struct

from idlewatch.core.activity import Reason
from idlewatch.core.protocol import ErrorCode, ErrorFrame, Frame, no_session_frame
from idlewatch.decorators import outside_transactions
from idlewatch.drafts import service
from idlewatch.drafts.redaction import Field
from idlewatch.exceptions import BadMessage
from idlewatch.http.bodies import body_of
from idlewatch.http.page_tokens import PageOwner, foreign_frame, page_owner_of
from idlewatch.http.request_state import state_of
from idlewatch.http.site_urls import login_url_of
from idlewatch.process import now

MAX_BODY = service.MAX_SIZE + 16_384
"""Bytes of a request; everything but the fields has bounds of its own."""
METHODS = ("GET", "HEAD", "POST")


class DraftMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """The fields of a form; null asks to delete its draft, since the form was sent or discarded."""

    page: str
    """The page's path with its query."""
    # PostgreSQL stores no NUL.
    form: Annotated[str, Meta(min_length=1, max_length=service.MAX_FORM_LENGTH, pattern=r"^[^\x00]*$")]
    fields: list[Field] | None


class DraftList(Struct, frozen=True):
    """The drafts of a page."""

    drafts: list[service.StoredDraft]


class SaveResult(Struct, frozen=True):
    """When the draft was saved, in epoch seconds; null if no draft is stored."""

    saved: float | None


@outside_transactions
@never_cache
@login_not_required
@csrf_exempt
def drafts(request: HttpRequest) -> HttpResponse:
    """Return the drafts of a page (GET), or save one (POST)."""
    # First: the CSRF token of a page whose user has left is outdated, and the page must learn why it is refused.
    frame = _refusal_frame(request)
    if frame is not None:
        return _json(frame, 401)
    if not service.is_on_for(request):
        why = "IDLEWATCH['DRAFT_AGE'] is 0, the package 'cryptography' is missing, or the session is a probe"
        raise Http404(f"No drafts are stored: {why}.")
    if request.method not in METHODS:
        expected = f"Expected {', '.join(METHODS[:-1])} or {METHODS[-1]}, got {request.method}."
        refusal = _json(ErrorFrame(ErrorCode.BAD_MESSAGE, expected), 405)
        refusal.headers["Allow"] = ", ".join(METHODS)
        return refusal
    try:
        # Read first: Django's CSRF check would parse a form for its token.
        body = body_of(request, MAX_BODY) if request.method == "POST" else b""
        return _respond(request, body)
    except BadMessage as error:
        code = ErrorCode(error.code)
        return _json(ErrorFrame(code, error.detail), 413 if code is ErrorCode.TOO_LARGE else 400)


@csrf_protect
def _respond(request: HttpRequest, body: bytes) -> HttpResponse:
    return _json(_save(request, body) if request.method == "POST" else _find(request), 200)


def _refusal_frame(request: HttpRequest) -> Frame | None:
    """Return the frame for a page without a session, of another user, or whose account was disabled; else None."""
    owner = page_owner_of(request)
    if owner is None:
        return state_of(request).frame
    if owner is PageOwner.FOREIGN:
        return foreign_frame(login_url_of(request))
    # The account was disabled, or its password changed, and the session has not ended yet: the middleware ends it now.
    return None if request.user.is_authenticated else no_session_frame(Reason.ACCOUNT, login_url_of(request))


def _find(request: HttpRequest) -> DraftList:
    page = request.GET.get("page")
    if page is None:
        raise BadMessage(ErrorCode.BAD_VALUE, "Expected ?page= with the path of a page, got none.")
    return DraftList(service.find(_user(request), page, now()))


def _save(request: HttpRequest, body: bytes) -> SaveResult:
    message, at = parse(body), now()
    if message.fields is None:
        service.delete(_user(request), message.page, message.form)
        return SaveResult(None)
    is_saved = service.save(_user(request), message.page, message.form, message.fields, at)
    return SaveResult(at if is_saved else None)


def parse(body: bytes) -> DraftMessage:
    """Decode a request body.

    Raises:
        BadMessage: it is not a valid message; `detail` names what was expected.
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


def _json(answer: Frame | DraftList | SaveResult, status: int) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(answer), status=status, content_type="application/json")
