"""What a page sends to be read: as a whole, within bounds, and whatever goes wrong said to it."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from django.http.request import RawPostDataException, UnreadablePostError

from idlewatch.core.protocol import ErrorCode
from idlewatch.exceptions import BadMessage

FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
"""What browsers send of themselves."""


def body_of(request: HttpRequest, most: int) -> bytes:
    """Return the bytes of a request, `most` at most.

    Raises:
        BadMessage: there are more, or it is a form, or it broke off.
    """
    if request.content_type in FORMS:
        raise BadMessage(ErrorCode.BAD_JSON, f"Expected JSON, got {request.content_type}.")
    try:
        body = request.body
    except RequestDataTooBig as error:
        got = request.META.get("CONTENT_LENGTH") or "more"
        bound = min(most, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        raise BadMessage(ErrorCode.TOO_LARGE, f"Expected at most {bound} bytes, got {got}.") from error
    except RawPostDataException as error:
        raise BadMessage(ErrorCode.BAD_JSON, "Expected JSON, got what was read by somebody else.") from error
    except UnreadablePostError as error:
        raise BadMessage(ErrorCode.BAD_JSON, "Expected JSON, got a part of it: the connection broke.") from error
    if len(body) > most:
        raise BadMessage(ErrorCode.TOO_LARGE, f"Expected at most {most} bytes, got {len(body)}.")
    return body
