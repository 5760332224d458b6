"""The check of a socket's `Origin` header (ASVS 4.4.2)."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9._-]+(:[0-9]+)?|[a-z][a-z0-9+.-]*://\[[0-9a-f:.]+\](:[0-9]+)?")
"""An origin as browsers write it (RFC 6454 §6.2): Django's wildcards would match any string with that ending."""


def request_of(scope: dict[str, Any]) -> HttpRequest:
    """Return the handshake of a socket as a Django request, so that Django's own rules can be applied to it."""
    scheme = "https" if scope.get("scheme") in {"wss", "https"} else "http"
    # Django fails on bytes that are not UTF-8.
    query = scope.get("query_string", b"").decode(errors="replace")
    return ASGIRequest({**scope, "type": "http", "method": "GET", "scheme": scheme, "query_string": query}, BytesIO())


def is_same_origin(request: HttpRequest) -> bool:
    """Return whether the handshake's `Origin` is the site's own, or one that it trusts.

    Scheme, host and port must be equal, or match `CSRF_TRUSTED_ORIGINS`; a missing origin and `null` are refused.
    Behind a proxy, `SECURE_PROXY_SSL_HEADER` and `USE_X_FORWARDED_HOST` tell what the site's own is.
    """
    if not _ORIGIN.fullmatch(request.headers.get("Origin", "null")):
        return False
    # A new one each time: it caches the settings that it reads first.
    rule = CsrfViewMiddleware(lambda request: HttpResponse())
    return bool(rule._origin_verified(request))  # type: ignore[attr-defined]
