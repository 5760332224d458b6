"""Whether a socket may be opened from the page that asks for it (ASVS 4.4.2)."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

_csrf = CsrfViewMiddleware(lambda request: HttpResponse())


def request_of(scope: dict[str, Any]) -> HttpRequest:
    """Return the handshake of a socket as a Django request, so that Django's own rules can be applied to it."""
    scheme = "https" if scope.get("scheme") in {"wss", "https"} else "http"
    return ASGIRequest({**scope, "type": "http", "method": "GET", "scheme": scheme}, BytesIO())


def is_own(request: HttpRequest) -> bool:
    """Tell whether the handshake's `Origin` is the site itself, or one that it trusts.

    Scheme, host and port must be equal, or match `CSRF_TRUSTED_ORIGINS`; a missing origin and `null` are refused.
    Behind a proxy, `SECURE_PROXY_SSL_HEADER` and `USE_X_FORWARDED_HOST` tell what the site's own is.
    """
    if request.headers.get("Origin", "null") == "null":
        return False
    return bool(_csrf._origin_verified(request))  # type: ignore[attr-defined]
