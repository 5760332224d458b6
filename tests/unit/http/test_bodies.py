"""The body of a request, or the error frame for it."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from django.http import HttpRequest
from django.test import RequestFactory

from idlewatch.core.protocol import ErrorCode
from idlewatch.exceptions import BadMessage
from idlewatch.http.bodies import FORM_TYPES, body_of


def post(body: bytes, content_type: str = "application/json", **extra: Any) -> HttpRequest:
    return RequestFactory().post("/", body, content_type=content_type, **extra)


def refusal(request: HttpRequest, max_length: int = 10) -> tuple[str, str]:
    with pytest.raises(BadMessage) as caught:
        body_of(request, max_length)
    return caught.value.code, caught.value.detail


def test_a_body_within_the_limit_is_returned():
    assert body_of(post(b"0123456789"), 10) == b"0123456789"


def test_one_that_is_too_large_is_refused():
    assert refusal(post(b"0123456789a")) == (ErrorCode.TOO_LARGE, "Expected at most 10 bytes, got 11.")


def test_so_is_one_beyond_django_s_limit(settings: Any):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 5
    assert refusal(post(b"0123456")) == (ErrorCode.TOO_LARGE, "Expected at most 5 bytes, got 7.")


@pytest.mark.parametrize("content_type", sorted(FORM_TYPES))
def test_a_form_is_refused_unread(content_type: str):
    request = post(b"a=b", content_type)
    assert refusal(request) == (ErrorCode.BAD_JSON, f"Expected JSON, got {content_type}.")
    assert request.read() == b"a=b"


def test_a_body_that_was_read_before_is_refused():
    request = post(b"{}")
    request.read()
    assert refusal(request) == (ErrorCode.BAD_JSON, "Expected JSON, got a body that had been read before.")


def test_a_connection_that_breaks_is_refused():
    class Broken(BytesIO):
        def read(self, *_: Any) -> bytes:
            raise OSError("the browser is gone")

    request = post(b"{}", **{"wsgi.input": Broken()})
    assert refusal(request) == (ErrorCode.BAD_JSON, "Expected JSON, got an incomplete body: the connection broke.")
