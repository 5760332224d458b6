"""Forms that were sent after the end: no view gets them, but their user is offered what was typed after signing in.

Where the page's script is at work it covers what was typed, and keeps it. This is for the form that was sent before the
script knew, and for pages whose script does not run.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from copy import copy
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.db import Error as DatabaseError
from django.db import router, transaction
from django.http import HttpRequest, HttpResponseForbidden
from django.http.multipartparser import MultiPartParserError
from django.http.request import RawPostDataException, UnreadablePostError
from django.middleware.csrf import CsrfViewMiddleware

from idlewatch.conf import conf
from idlewatch.core.activity import Reason
from idlewatch.core.protocol import ErrorCode
from idlewatch.drafts import service as drafts
from idlewatch.drafts.redaction import NAMES_FIELD, Field, keepable
from idlewatch.exceptions import BadMessage
from idlewatch.http.bodies import FORMS
from idlewatch.http.classification import is_client_endpoint, is_navigation, needs_no_login, place_of
from idlewatch.http.request_watch import RequestWatch
from idlewatch.models import Draft
from idlewatch.monitor import accounts, django_sessions, records
from idlewatch.store.base import Watched

logger = logging.getLogger("idlewatch")

KEPT_KEY = "_idlewatch_kept"
"""In the session's data where, at sign-in, something was kept that had been refused: pages then ask for it."""
UNINTENDED = frozenset({Reason.IDLE, Reason.ABSOLUTE, Reason.CLOSED})
"""Ends by the clock, which may overtake a user who writes. Who was made to go, or went, has nothing more to say."""
KEEP_WITHIN = 3600.0
"""Seconds after the end: by then whoever was writing has sent it. The cookie of a session that is long over must not
let anybody who has got hold of it write to its user."""
MAX_BODY = 1_048_576
"""Bytes of a request that are read, files and all: nobody is signed in."""
MALFORMED = (
    BadMessage,
    BadRequest,
    MultiPartParserError,
    RawPostDataException,
    SuspiciousOperation,
    UnreadablePostError,
)
"""What a browser, or whoever plays one, can bring about at will."""


def keep(request: HttpRequest, watch: RequestWatch) -> None:
    """Keep the fields of a form that is about to be refused, for the user whose session has ended.

    Before the session is flushed: it may hold what shows that the form is the site's own. Whatever goes wrong here, the
    request is answered as if nothing were kept, and `ENDED_RESPONSE` finds it unread.
    """
    if not drafts.is_on() or watch.reason not in UNINTENDED or not _is_form(request) or needs_no_login(request):
        return
    try:
        user = _user_of(request, watch)
        if user is None:
            return
        form = _read(request)
        # A page of another site must not put words into anybody's mouth.
        if _is_from_here(form):
            _put(form, user, watch.arrived)
    except MALFORMED as error:
        logger.info("A form that was refused is not kept: %s", str(error) or type(error).__name__)
    except Exception:
        logger.exception("A form that was refused could not be kept.")


def remember(session: SessionBase, user: AbstractBaseUser, now: float) -> None:
    """Note in the session of a user who just signed in whether pages have something to ask for.

    It stays noted as long as the session: to take it back would be to save the data of other requests over.
    """
    try:
        with transaction.atomic(using=router.db_for_read(Draft)):
            has_refused = drafts.has_refused(user, now)
    except DatabaseError as error:
        # Whoever signs in, signs in.
        logger.error("Nobody can tell whether a form was refused (%s): pages don't ask for it.", error)  # noqa: TRY400
        has_refused = False
    if has_refused:
        session[KEPT_KEY] = True
    else:
        session.pop(KEPT_KEY, None)


def _is_form(request: HttpRequest) -> bool:
    if request.method != "POST" or request.content_type not in FORMS or is_client_endpoint(request):
        return False
    # What another script sends leaves its page where it is; htmx is led to the login.
    return is_navigation(request) or "HX-Request" in request.headers


def _user_of(request: HttpRequest, watch: RequestWatch) -> AbstractBaseUser | None:
    """Return the user for whom a request may still speak: the one whose session has just ended."""
    watched = _watched_of(request, watch)
    if watched is None or watched.activity.reason not in UNINTENDED or watched.activity.ended is None:
        return None
    if watch.arrived - watched.activity.ended > KEEP_WITHIN:
        return None
    return accounts.by_primary_key([watched.user]).get(watched.user)


def _watched_of(request: HttpRequest, watch: RequestWatch) -> Watched | None:
    if watch.watched is not None:
        # The session's data may speak of somebody else.
        return watch.watched if watch.watched.user == django_sessions.user_of(request.session) else None
    key = request.COOKIES.get(conf.session_cookie_name, "")
    record = records.find_by_key(key)
    # A key that was replaced before the end stands for nobody.
    lasted = record is not None and not records.was_rotated(record, key)
    return records.watched_of(record, watch.arrived) if record is not None and lasted else None


def _put(request: HttpRequest, user: AbstractBaseUser, now: float) -> None:
    path, page = request.get_full_path(), place_of(request)
    if page == "/" and "HX-Current-URL" not in request.headers:
        # Nobody knows where it stood, for a `Referer` may name the site alone; many a form is sent to its own page.
        page = path
    private = request.POST.getlist(NAMES_FIELD)
    sent = [(name, value) for name, values in request.POST.lists() for value in values]
    fields = keepable(sent, private)
    drafts.put(user, page, _name_of(path, fields), Draft.Kind.REFUSED, drafts.Content(fields, path), now)


def _name_of(action: str, fields: Sequence[Field]) -> str:
    """Return a name for the form: sent again, it takes the place of what was kept of it."""
    names = sorted({name for name, _ in fields})
    return hashlib.sha256(json.dumps([action, names]).encode()).hexdigest()[:32]


def _read(request: HttpRequest) -> HttpRequest:
    """Return a copy of a request, whose form may be read.

    Raises:
        BadMessage: it is too long.
    """
    length = request.META.get("CONTENT_LENGTH") or "an unknown number"
    if not length.isdecimal() or int(length) > MAX_BODY:
        raise BadMessage(ErrorCode.TOO_LARGE, f"Expected at most {MAX_BODY} bytes, got {length}.")
    if not hasattr(request, "_post"):
        # What is read as a whole can be read again, by whoever answers.
        _ = request.body
    return copy(request)


def _is_from_here(request: HttpRequest) -> bool:
    if not hasattr(request, "_files"):
        # Files are let go; where somebody has read the form before, they have been read.
        request.upload_handlers = [_NoFiles(request)]
    check = _Check(_refuse)
    check.process_request(request)
    return check.process_view(request, _refuse, (), {}) is None


def _refuse(_: HttpRequest) -> HttpResponseForbidden:
    return HttpResponseForbidden()


class _Check(CsrfViewMiddleware):
    """Django's own, without its page and its log line: nobody is refused by it here."""

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponseForbidden:
        return HttpResponseForbidden(reason)


class _NoFiles(FileUploadHandler):
    def new_file(self, *_: Any, **__: Any) -> None:
        raise SkipFile

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Get nothing."""

    def file_complete(self, file_size: int) -> None:
        """Have nothing."""
