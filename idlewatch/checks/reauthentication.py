"""Checks of `REAUTHENTICATE`."""

from __future__ import annotations

from collections.abc import Mapping

from django.apps import apps
from django.core.checks import Error, Warning  # noqa: A004 - Django's own names
from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch, reverse

from idlewatch.checks.registry import Messages, check, written
from idlewatch.conf import conf
from idlewatch.conf.declaration import place
from idlewatch.http.reauthentication import Allauth, OneTimeCode

PACKAGES: Mapping[str, type] = {"allauth.account": Allauth, "django_otp": OneTimeCode}
"""The object that fits the users of an app."""


@check()
def reauthentication_is_installed() -> Messages:
    """Check that the package that `REAUTHENTICATE` relies on is there."""
    try:
        method = conf.reauthenticate
    except ImproperlyConfigured:
        return
    for app, kind in PACKAGES.items():
        if not isinstance(method, kind):
            continue
        if not apps.is_installed(app):
            missing, hint = f"{app!r} is not in INSTALLED_APPS", f"Add {app!r}, or name another object."
        elif kind is Allauth and not _has_allauth_urls():
            missing, hint = "no URL is named 'account_reauthenticate'", 'Add include("allauth.urls").'
        else:
            continue
        message = f"{place('REAUTHENTICATE')} is {_path(kind)!r}, and {missing}; expected it."
        yield Error(message, hint=hint, id="idlewatch.E049")


@check()
def reauthentication_fits() -> Messages:
    """Check that a site whose users sign in by more than a password has chosen how they reauthenticate."""
    if "REAUTHENTICATE" in written():
        return
    for app, kind in PACKAGES.items():
        if apps.is_installed(app):
            message = f"{app!r} is installed, and {place('REAUTHENTICATE')} is unset: it asks for a password alone."
            hint = (
                f"Set it to {_path(kind)!r}, so that “Sign in again” and the page of active sessions ask for what your "
                "users sign in with. Users without a password have to sign out and in again otherwise."
            )
            yield Warning(message, hint=hint, id="idlewatch.W043")


def _path(kind: type) -> str:
    return f"{kind.__module__}.{kind.__name__}"


def _has_allauth_urls() -> bool:
    try:
        reverse("account_reauthenticate")
    except NoReverseMatch:
        return False
    except Exception:  # noqa: BLE001 - Django's own checks report a URLconf that can't be loaded
        return True
    return True
