"""The nonce of a request's Content-Security-Policy, which idlewatch's scripts and stylesheets carry."""

from __future__ import annotations

from importlib import import_module

from django.http import HttpRequest


def nonce_of(request: HttpRequest) -> str | None:
    """Return the nonce of a request: that of django-csp, else of Django itself, from 6.0 on; None without one.

    Reading a nonce puts it into the policy's header. One that has not been read yet is falsy: compare it with None.
    """
    nonce = getattr(request, "csp_nonce", None)
    if nonce is None:
        nonce = _django_nonce(request)
    if nonce is None:
        return None
    try:
        return str(nonce)
    except Exception:  # noqa: BLE001 - django-csp raises once it has written a header without the nonce
        return None


def _django_nonce(request: HttpRequest) -> object:
    try:
        get_nonce = import_module("django.middleware.csp").get_nonce
    except ImportError:  # Django 5.2
        return None
    nonce: object = get_nonce(request)
    return nonce
