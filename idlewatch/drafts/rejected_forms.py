"""Forms that were submitted after the session ended: their fields are stored, and offered after the next sign-in.

No view receives them. Usually the client in the page stops such a submission itself; this is for forms that were
submitted before the client knew of the end, and for pages whose script does not run.
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
from django.urls import get_script_prefix

from idlewatch.core.activity import Reason
from idlewatch.core.probes import is_probe
from idlewatch.core.protocol import ErrorCode
from idlewatch.drafts import service
from idlewatch.drafts.models import Draft
from idlewatch.drafts.redaction import NAMES_FIELD, Field, redact
from idlewatch.exceptions import BadMessage
from idlewatch.http.admission import Admission
from idlewatch.http.bodies import FORM_TYPES
from idlewatch.http.classification import is_client_endpoint, is_navigation, page_path_of
from idlewatch.http.login_views import needs_no_login
from idlewatch.http.request_session import cookie_of
from idlewatch.http.site_urls import full_path_of
from idlewatch.monitor import accounts, django_sessions, record_keys, records
from idlewatch.store.values import Watched

logger = logging.getLogger("idlewatch")

REJECTED_KEY = "_idlewatch_rejected"
"""Key in the session's data, set at sign-in if a rejected form is stored: pages then ask for it."""
TIMEOUTS = frozenset({Reason.IDLE, Reason.ABSOLUTE, Reason.CLOSED})
"""Reasons that may overtake a user who is writing. After any other end, forms are not stored."""
ACCEPTANCE_PERIOD = 3600.0
"""Seconds after the end in which a form is stored. A stolen cookie of a session that ended long ago must not let the
thief write to the user."""
MAX_BODY = 1_048_576
"""Bytes of a request that are read, files included: the request is anonymous."""
MALFORMED = (
    BadMessage,
    BadRequest,
    MultiPartParserError,
    RawPostDataException,
    SuspiciousOperation,
    UnreadablePostError,
)
"""Errors that a client can cause at will."""


def store(request: HttpRequest, admission: Admission) -> None:
    """Store the fields of a form that is about to be rejected, for the user whose session has ended.

    Called before the session is flushed: its data may prove that the form is the site's own. An error here does not
    change the response, and `ENDED_RESPONSE` finds the request unread.
    """
    if not service.is_on() or admission.state.reason not in TIMEOUTS:
        return
    if not _is_form(request) or needs_no_login(request):
        return
    try:
        user = _user_of(request, admission)
        if user is None:
            return
        form = _readable_copy(request)
        # Pages of other sites must not submit text in the user's name.
        if _passes_csrf_check(form):
            _put(form, user, admission.arrived)
    except MALFORMED as error:
        logger.info("A rejected form is not stored: %s", str(error) or type(error).__name__)
    except Exception:
        logger.exception("A rejected form could not be stored.")


def mark_session(session: SessionBase, user: AbstractBaseUser, now: float) -> None:
    """Mark the session of a user who just signed in if a rejected form is stored: pages then ask for it.

    The mark stays for the whole session: removing it would overwrite session data that other requests save.
    """
    try:
        with transaction.atomic(using=router.db_for_write(Draft)):
            is_marked = service.has_rejected_form(user, now)
    except DatabaseError as error:
        # The sign-in goes on without it.
        logger.error("Looking up rejected forms failed (%s): pages don't ask for them.", error)  # noqa: TRY400
        is_marked = False
    if is_marked:
        session[REJECTED_KEY] = True
    else:
        session.pop(REJECTED_KEY, None)


def _is_form(request: HttpRequest) -> bool:
    if request.method != "POST" or request.content_type not in FORM_TYPES or is_client_endpoint(request):
        return False
    # Requests of other scripts leave the page as it is; htmx follows to the sign-in page.
    return is_navigation(request) or "HX-Request" in request.headers


def _user_of(request: HttpRequest, admission: Admission) -> AbstractBaseUser | None:
    """Return the user whose session ended within `ACCEPTANCE_PERIOD`; None if there is none, or it was a probe."""
    watched = _watched_of(request, admission)
    if watched is None or is_probe(watched.id):
        return None
    if watched.activity.reason not in TIMEOUTS or watched.activity.ended is None:
        return None
    if admission.arrived - watched.activity.ended > ACCEPTANCE_PERIOD:
        return None
    return accounts.by_primary_key([watched.user]).get(watched.user)


def _watched_of(request: HttpRequest, admission: Admission) -> Watched | None:
    ended = admission.state.watched
    if ended is not None:
        # The session's data may belong to another user.
        return ended if ended.user == django_sessions.user_of(request.session) else None
    key = cookie_of(request)
    record = record_keys.find_by_key(key)
    # A key that was rotated before the end is not accepted.
    if record is None or record_keys.was_rotated(record, key):
        return None
    return records.watched_of(record, admission.arrived)


def _put(request: HttpRequest, user: AbstractBaseUser, now: float) -> None:
    path, page = full_path_of(request), page_path_of(request)
    if page == get_script_prefix() and "HX-Current-URL" not in request.headers:
        # The form's page is unknown, since a `Referer` may name the site alone; many forms are sent to their own page.
        page = path
    private = request.POST.getlist(NAMES_FIELD)
    fields = redact(((name, value) for name, values in request.POST.lists() for value in values), private)
    service.put(user, page, _form_name(path, fields), Draft.Kind.REFUSED, service.Content(fields, path), now)


def _form_name(action: str, fields: Sequence[Field]) -> str:
    """Return a name for the form, so that a second submission replaces the first."""
    names = sorted({name for name, _ in fields})
    return hashlib.sha256(json.dumps([action, names]).encode()).hexdigest()[:32]


def _readable_copy(request: HttpRequest) -> HttpRequest:
    """Return a copy of a request, so that reading its form leaves the request unread.

    Raises:
        BadMessage: it is too long.
    """
    length = request.META.get("CONTENT_LENGTH") or "an unknown number"
    if not length.isdecimal() or int(length) > MAX_BODY:
        raise BadMessage(ErrorCode.TOO_LARGE, f"Expected at most {MAX_BODY} bytes, got {length}.")
    if not hasattr(request, "_post"):
        # Django keeps a body that was read as a whole.
        _ = request.body
    return copy(request)


def _passes_csrf_check(request: HttpRequest) -> bool:
    if not hasattr(request, "_files"):
        # Files are skipped, unless another middleware has already read the form.
        request.upload_handlers = [_SkipFiles(request)]
    check = _CsrfCheck(_refuse)
    check.process_request(request)
    return check.process_view(request, _refuse, (), {}) is None


def _refuse(_: HttpRequest) -> HttpResponseForbidden:
    return HttpResponseForbidden()


class _CsrfCheck(CsrfViewMiddleware):
    """Django's check, without its error page and its log line."""

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponseForbidden:
        return HttpResponseForbidden(reason)


class _SkipFiles(FileUploadHandler):
    def new_file(self, *_: Any, **__: Any) -> None:
        raise SkipFile

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Receive nothing."""

    def file_complete(self, file_size: int) -> None:
        """Return no file."""
