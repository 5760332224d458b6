"""The header fields of a response, without the two or three calls that Django's mapping takes for each."""

from __future__ import annotations

from django.http.response import HttpResponseBase


def fields_of(response: HttpResponseBase) -> dict[str, tuple[str, str]]:
    """Return the names and values of the fields, by the names in lower case: the dict in Django's mapping."""
    return response.headers._store
