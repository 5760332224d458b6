"""The body of a request: bounded, and with an error frame for whatever goes wrong."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from django.http.request import RawPostDataException, UnreadablePostError

from idlewatch.core.protocol import ErrorCode
from idlewatch.exceptions import BadMessage

FORM_TYPES = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
"""Content types that browsers send without a script."""


def body_of(request: HttpRequest, max_length: int) -> bytes:
    """Return the body of a request.

    Raises:
        BadMessage: it has more than `max_length` bytes, is a form, or is incomplete.
    """
    if request.content_type in FORM_TYPES:
        raise BadMessage(ErrorCode.BAD_JSON, f"Expected JSON, got {request.content_type}.")
    try:
        body = request.body
    except RequestDataTooBig as error:
        length = request.META.get("CONTENT_LENGTH") or "more"
        bound = min(max_length, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        raise BadMessage(ErrorCode.TOO_LARGE, f"Expected at most {bound} bytes, got {length}.") from error
    except RawPostDataException as error:
        raise BadMessage(ErrorCode.BAD_JSON, "Expected JSON, got a body that had been read before.") from error
    except UnreadablePostError as error:
        raise BadMessage(ErrorCode.BAD_JSON, "Expected JSON, got an incomplete body: the connection broke.") from error
    if len(body) > max_length:
        raise BadMessage(ErrorCode.TOO_LARGE, f"Expected at most {max_length} bytes, got {len(body)}.")
    return body
