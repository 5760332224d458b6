"""Packages about how users sign in."""

from __future__ import annotations

import os
from typing import Any

from django.urls import include, path

from tests.sites.row import ASGI, NAME, PASSWORD, Row, SignIn, after
from tests.sites.views import plain_urls, site_page

MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"
CREDENTIALS = {"username": NAME, "password": PASSWORD}
TOKEN = {"otp_device": "otp_static.staticdevice/1", "otp_token": "abcdefgh"}
CODE = "abcd1234"
PORTAL = "127.0.0.2"
ALLAUTH_BASE = """\
{% load idlewatch %}<!doctype html><html><head><title>A site</title></head>
<body>{% block content %}{% endblock %}{% block extra_body %}{% endblock %}{% idlewatch %}</body></html>
"""


def _allauth(*apps: str, sign_in: SignIn | None = None, **settings: Any) -> dict[str, Any]:
    backends = [MODEL_BACKEND, "allauth.account.auth_backends.AuthenticationBackend"]
    return {
        "apps": ("allauth", "allauth.account", *apps),
        "middleware": ("allauth.account.middleware.AccountMiddleware",),
        "settings": lambda plain: {
            "LOGIN_URL": "account_login",
            "AUTHENTICATION_BACKENDS": backends,
            "IDLEWATCH": plain["IDLEWATCH"] | {"REAUTHENTICATE": "idlewatch.http.reauthentication.Allauth"},
            **settings,
        },
        "templates": {"allauth/layouts/base.html": ALLAUTH_BASE},
        "urls": lambda: [site_page(), path("accounts/", include("allauth.urls"))],
        "sign_in": sign_in or SignIn(fields={"login": NAME, "password": PASSWORD}),
    }


def give_codes() -> None:
    """Set up two factors: an authenticator, and recovery codes, all alike, as many as a run needs."""
    from allauth.mfa.adapter import get_adapter
    from allauth.mfa.models import Authenticator
    from django.contrib.auth import get_user_model

    user, encrypt = get_user_model().objects.get(), get_adapter().encrypt
    codes = {"migrated_codes": [encrypt(CODE)] * 20}
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={"secret": encrypt("JBSWY3DPEHPK3PXP")})
    Authenticator.objects.create(user=user, type=Authenticator.Type.RECOVERY_CODES, data=codes)


def _otp_admin() -> list[Any]:
    from django.contrib import admin
    from django_otp.admin import OTPAdminSite

    admin.site.__class__ = OTPAdminSite
    return plain_urls()


def give_tokens() -> None:
    """Give the visitor one-time tokens, all alike, as many as a run needs."""
    from django.contrib.auth import get_user_model
    from django_otp.plugins.otp_static.models import StaticDevice, StaticToken

    device = StaticDevice.objects.create(user=get_user_model().objects.get(), name="tokens")
    StaticToken.objects.bulk_create(StaticToken(device=device, token=TOKEN["otp_token"]) for _ in range(20))


def _central_login(plain: dict[str, Any]) -> dict[str, Any]:
    return {
        "LOGIN_URL": f"http://{PORTAL}:{os.environ.get('SITE_PORT')}/portal/",
        "ALLOWED_HOSTS": [*plain["ALLOWED_HOSTS"], PORTAL],
        "AUTHENTICATION_BACKENDS": [MODEL_BACKEND, "sesame.backends.ModelBackend"],
        # Where its documentation wants it: it signs in, and answers by itself, before the middleware of idlewatch.
        "MIDDLEWARE": after(
            plain["MIDDLEWARE"],
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "sesame.middleware.AuthenticationMiddleware",
        ),
        "SESAME_MAX_AGE": 10,
    }


def _portal() -> list[Any]:
    from tests.sites.portal import portal

    return [path("portal/", portal), site_page()]


ROWS = [
    Row("django-allauth", packages=("django-allauth",), **_allauth()),
    Row(
        "django-allauth with MFA",
        packages=("django-allauth",),
        prepare="tests.sites.rows.accounts.give_codes",
        **_allauth(
            "allauth.mfa",
            sign_in=SignIn(fields={"login": NAME, "password": PASSWORD}, then=({"code": CODE},)),
        ),
    ),
    Row(
        "django-allauth, a social account without a password",
        packages=("django-allauth",),
        **_allauth(
            "allauth.socialaccount",
            "allauth.socialaccount.providers.dummy",
            sign_in=SignIn(link="/dummy/login/", fields={"id": "7", "email": "social@example.com"}),
            SOCIALACCOUNT_LOGIN_ON_GET=True,
        ),
    ),
    Row(
        "django-otp in the admin",
        packages=("django-otp",),
        apps=("django_otp", "django_otp.plugins.otp_static"),
        page="/admin/",
        settings=lambda plain: {
            "LOGIN_URL": "admin:login",
            "OTP_STATIC_THROTTLE_FACTOR": 0,
            "IDLEWATCH": plain["IDLEWATCH"] | {"REAUTHENTICATE": "idlewatch.http.reauthentication.OneTimeCode"},
            "MIDDLEWARE": after(
                plain["MIDDLEWARE"],
                "django.contrib.auth.middleware.AuthenticationMiddleware",
                "django_otp.middleware.OTPMiddleware",
            ),
        },
        urls=_otp_admin,
        prepare="tests.sites.rows.accounts.give_tokens",
        sign_in=SignIn("/admin/login/", CREDENTIALS, then=(CREDENTIALS | TOKEN,)),
    ),
    Row(
        "A login on another host, django-sesame",
        packages=("django-sesame",),
        settings=_central_login,
        urls=_portal,
        server=("daphne", "-b", "0.0.0.0", "-p", "{port}", ASGI),
        sign_in=SignIn("/portal/", host=PORTAL),
        wire=False,
    ),
    Row(
        "django-axes",
        packages=("django-axes",),
        apps=("axes",),
        middleware=("axes.middleware.AxesMiddleware",),
        settings={"AUTHENTICATION_BACKENDS": ["axes.backends.AxesStandaloneBackend", MODEL_BACKEND]},
    ),
]
