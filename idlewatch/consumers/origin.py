"""The check of a socket's `Origin` header (ASVS 4.4.2)."""

from __future__ import annotations

import logging
import re
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from idlewatch.conf.declaration import DOCUMENTATION
from idlewatch.http.page_tokens import token_in
from idlewatch.process import Process, current_process

logger = logging.getLogger("idlewatch")

HELP = f"{DOCUMENTATION}/deployment.md#nginx"
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9._-]+(:[0-9]+)?|[a-z][a-z0-9+.-]*://\[[0-9a-f:.]+\](:[0-9]+)?")
"""An origin as browsers write it (RFC 6454 §6.2): Django's wildcards would match any string with that ending."""
_FORWARDED_PROTO = "HTTP_X_FORWARDED_PROTO"
_SOCKET_SCHEME = re.compile(r"^\s*ws(?=s?\b)", re.IGNORECASE)


def request_of(scope: dict[str, Any]) -> HttpRequest:
    """Return the handshake of a socket as a Django request, so that Django's own rules can be applied to it."""
    scheme = "https" if scope.get("scheme") in {"wss", "https"} else "http"
    # Django fails on bytes that are not UTF-8.
    query = scope.get("query_string", b"").decode(errors="replace")
    request = ASGIRequest(
        {**scope, "type": "http", "method": "GET", "scheme": scheme, "query_string": query}, BytesIO()
    )
    if _FORWARDED_PROTO in request.META:
        # Traefik sends `wss`, where `SECURE_PROXY_SSL_HEADER` has the `https` of the page.
        request.META[_FORWARDED_PROTO] = _SOCKET_SCHEME.sub("http", request.META[_FORWARDED_PROTO])
    return request


def is_same_origin(request: HttpRequest) -> bool:
    """Return whether the handshake's `Origin` is the site's own, or one that it trusts.

    Scheme, host and port must be equal, or match `CSRF_TRUSTED_ORIGINS`; a missing origin and `null` are refused.
    Behind a proxy, `SECURE_PROXY_SSL_HEADER` and `USE_X_FORWARDED_HOST` tell what the site's own is.
    """
    origin = request.META.get("HTTP_ORIGIN")
    if origin is None and token_in(request):
        # Every browser sends it, and only pages have the token.
        current_process().part(RefusedOrigins).note_missing()
    if not _ORIGIN.fullmatch(origin or ""):
        return False
    # A new one each time: it caches the settings that it reads first.
    rule = CsrfViewMiddleware(lambda request: HttpResponse())
    is_same = bool(rule._origin_verified(request))  # type: ignore[attr-defined]
    if not is_same:
        current_process().part(RefusedOrigins).note(request)
    return is_same


class RefusedOrigins:
    """Logs, once in a process, that a page of the site itself seems to be refused, by what a proxy does not pass on."""

    def __init__(self, _process: Process) -> None:
        self._is_logged = False

    def note(self, request: HttpRequest) -> None:
        """Note a handshake with an origin that the site does not have."""
        origin, host = request.headers["Origin"], request.headers.get("Host", "")
        hosts = {_host_name(f"//{name}") for name in (host, request.headers.get("X-Forwarded-Host", ""))}
        if self._is_logged or _host_name(origin) not in hosts - {None}:
            return
        self._is_logged = True
        logger.warning(
            "The socket of a page of %s was refused, because the site's own origin is %s://%s here; pages fall back to "
            "HTTP. If it is your own page, set what your proxy changes: SECURE_PROXY_SSL_HEADER, USE_X_FORWARDED_HOST, "
            "or CSRF_TRUSTED_ORIGINS. See %s",
            origin,
            request.scheme,
            host,
            HELP,
        )

    def note_missing(self) -> None:
        """Note a handshake of a page from which something on its way has taken the origin."""
        if not self._is_logged:
            self._is_logged = True
            logger.warning(
                "The socket of a page was refused, because its handshake has no header Origin; pages fall back to "
                "HTTP. Have your proxy pass it on. See %s",
                HELP,
            )


def _host_name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
