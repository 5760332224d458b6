"""The header fields of a response, without the two or three calls that Django's mapping takes for each."""

from __future__ import annotations

from django.http.response import HttpResponseBase


def fields_of(response: HttpResponseBase) -> dict[str, tuple[str, str]]:
    """Return the names and values of the fields, by the names in lower case: the dict in Django's mapping."""
    return response.headers._store


def is_html(response: HttpResponseBase) -> bool:
    """Return whether a response is a page."""
    field = response.headers._store.get("content-type")
    return field is not None and field[1].startswith("text/html")
