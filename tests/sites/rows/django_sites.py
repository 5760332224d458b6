"""What Django itself allows."""

from __future__ import annotations

from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf.urls.i18n import i18n_patterns
from django.urls import path

from tests.sites.row import EMAIL, PASSWORD, Row, SignIn, after
from tests.sites.views import plain_urls


def _nonces(plain: dict[str, Any]) -> dict[str, Any]:
    from csp.constants import NONCE, SELF, STRICT_DYNAMIC

    directives = {
        "default-src": [SELF],
        "script-src": [NONCE, STRICT_DYNAMIC],
        "style-src": [NONCE],
        "img-src": ["data:"],
    }
    return {"CONTENT_SECURITY_POLICY": {"DIRECTIVES": directives}}


def _own_nonces(plain: dict[str, Any]) -> dict[str, Any]:
    from django.utils.csp import CSP

    [templates] = plain["TEMPLATES"]
    templates["OPTIONS"]["context_processors"].append("django.template.context_processors.csp")
    policy = {"default-src": [CSP.SELF], "script-src": [CSP.NONCE, CSP.STRICT_DYNAMIC], "style-src": [CSP.NONCE]}
    return {"SECURE_CSP": {**policy, "img-src": ["data:"]}}


def _own_sockets() -> Any:
    from tests.sites.consumers import Echo

    return URLRouter([path("ws/echo/", Echo.as_asgi())])


def _wrapped_as_a_whole(django: Any) -> Any:
    from idlewatch.asgi import watched

    return watched(ProtocolTypeRouter({"http": django, "websocket": _own_sockets()}))


def _wrapped_inside(django: Any) -> Any:
    from idlewatch.asgi import watched

    return ProtocolTypeRouter({"http": watched(django), "websocket": _own_sockets()})


ROWS = [
    Row("django.contrib.auth.urls", rarely=True),
    Row("Django admin", page="/admin/", sign_in=SignIn("/admin/login/"), settings={"LOGIN_URL": "admin:login"}),
    Row(
        "User with a UUID key and no username",
        apps=("tests.sites.people",),
        settings={"AUTH_USER_MODEL": "people.Person"},
        sign_in=SignIn(fields={"username": EMAIL, "password": PASSWORD}),
    ),
    Row(
        "i18n_patterns",
        page="/de/",
        sign_in=SignIn("/de/accounts/login/"),
        said={"idle": "wegen Inaktivität", "closed": "weil der Browser geschlossen wurde"},
        settings=lambda plain: {
            "LANGUAGES": [("en", "English"), ("de", "Deutsch")],
            "MIDDLEWARE": after(
                plain["MIDDLEWARE"],
                "django.contrib.sessions.middleware.SessionMiddleware",
                "django.middleware.locale.LocaleMiddleware",
            ),
        },
        urls=lambda: i18n_patterns(*plain_urls()),
    ),
    Row("CSRF_USE_SESSIONS, no sockets", rarely=True, settings={"CSRF_USE_SESSIONS": True}, polls=True),
    Row(
        "Other names of cookies and CSRF header, no sockets",
        settings={
            "SESSION_COOKIE_NAME": "sid",
            "CSRF_COOKIE_NAME": "xsrf",
            "CSRF_HEADER_NAME": "HTTP_X_XSRF_TOKEN",
        },
        polls=True,
    ),
    Row(
        "django-csp with nonces and strict-dynamic",
        shows=("django-csp",),
        middleware=("csp.middleware.CSPMiddleware",),
        settings=_nonces,
    ),
    Row(
        "CSP of Django 6 with nonces",
        packages=("django",),
        middleware=("django.middleware.csp.ContentSecurityPolicyMiddleware",),
        settings=_own_nonces,
    ),
    Row("Static files on another origin", settings={"STATIC_URL": "https://cdn.example/"}, refused="idlewatch.W023"),
    Row(
        "django-session-security left installed",
        packages=("django-session-security",),
        apps=("session_security",),
        middleware=("session_security.middleware.SessionSecurityMiddleware",),
        refused="idlewatch.W038",
    ),
    Row(
        "django-auto-logout left installed",
        packages=("django-auto-logout",),
        middleware=("django_auto_logout.middleware.auto_logout",),
        settings={"AUTO_LOGOUT": {"IDLE_TIME": 600}},
        refused="idlewatch.W039",
    ),
    Row(
        "django-session-timeout left installed",
        packages=("django-session-timeout",),
        middleware=("django_session_timeout.middleware.SessionTimeoutMiddleware",),
        refused="idlewatch.W040",
    ),
    Row("Channels consumers, the router wrapped", rarely=True, shows=("channels",), asgi=_wrapped_as_a_whole),
    Row("Channels consumers, HTTP wrapped alone", shows=("channels",), asgi=_wrapped_inside, refused="idlewatch.E046"),
]
