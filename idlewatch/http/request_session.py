"""The Django session of a request, and its cookie."""

from __future__ import annotations

from functools import partial

from django.contrib.auth import aget_user, get_user
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.middleware.csrf import CSRF_SESSION_KEY
from django.utils.functional import SimpleLazyObject

from idlewatch.conf import conf
from idlewatch.store.values import SessionKey


def session_of(request: HttpRequest) -> SessionBase:
    """Return the session of a request.

    Raises:
        ImproperlyConfigured: Django's session middleware has not seen the request.
    """
    try:
        return request.session
    except AttributeError as error:
        raise ImproperlyConfigured(
            "IdleWatchMiddleware found a request without a session; expected it in MIDDLEWARE after "
            "SessionMiddleware and AuthenticationMiddleware."
        ) from error


def cookie_of(request: HttpRequest) -> SessionKey:
    """Return the session cookie of a request; empty if it has none."""
    return SessionKey(request.COOKIES.get(conf.session_cookie_name, ""))


def has_session(request: HttpRequest) -> bool:
    """Return whether a request came with a session, or a middleware before has signed its user in."""
    return bool(request.COOKIES.get(conf.session_cookie_name) or session_of(request).session_key)


def keep_cookie(request: HttpRequest) -> None:
    """Leave the browser's present cookie alone: Django would delete it for the request's empty session."""
    request.COOKIES.pop(conf.session_cookie_name, None)


def hide_cookie(request: HttpRequest) -> None:
    """Empty the cookie of an ended session in the header by which caches find what they stored for its user.

    Django deletes the cookie in the browser by `request.COOKIES`, which was read from that header before.
    """
    name = conf.session_cookie_name
    pairs = [pair.strip() for pair in request.META.get("HTTP_COOKIE", "").split(";")]
    request.META["HTTP_COOKIE"] = "; ".join(f"{name}=" if pair.startswith(f"{name}=") else pair for pair in pairs)
    forget_headers(request)


def forget_headers(request: HttpRequest) -> None:
    """Have `request.headers`, which Django copies from `request.META` once, made again."""
    request.__dict__.pop("headers", None)


def set_session_aside(request: HttpRequest) -> None:
    """Serve a request as a visitor's; leave its session and its cookie unchanged."""
    request.session = type(session_of(request))()
    request.user = AnonymousUser()
    request.auser = _anonymous
    keep_cookie(request)


def restore_session(request: HttpRequest, key: str) -> None:
    """Give a request the session with this key again, as it was saved, and its user."""
    request.session = type(session_of(request))(key)
    request.user = SimpleLazyObject(partial(get_user, request))  # type: ignore[assignment]
    request.auser = partial(aget_user, request)


async def _anonymous() -> AnonymousUser:
    return AnonymousUser()


def make_anonymous(request: HttpRequest) -> None:
    """Flush the session, and with it its cookie and every user that was cached on the request."""

    async def auser() -> AnonymousUser:
        return request.user  # type: ignore[return-value]

    session_of(request).flush()
    request.user = AnonymousUser()
    request.auser = auser


def make_anonymous_before_sign_in(request: HttpRequest) -> None:
    """Flush the session, except for the CSRF secret: with `CSRF_USE_SESSIONS`, the sign-in form depends on it."""
    secret = session_of(request).get(CSRF_SESSION_KEY)
    make_anonymous(request)
    if secret is not None:
        session_of(request)[CSRF_SESSION_KEY] = secret
