"""Checks for missing extras, and for a version of Django that is not tested."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.core.checks import Info, Warning  # noqa: A004 - Django's own names
from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, URLResolver, get_resolver

from idlewatch.checks.registry import Messages, check, written
from idlewatch.conf.declaration import place
from idlewatch.conf.extras import Extra, is_installed
from idlewatch.conf.settings import conf

DRAFTS_APP = "idlewatch.drafts"
ASGI_SERVERS = ("daphne", "uvicorn", "hypercorn", "granian")
TESTED_DJANGO = ((5, 2), (6, 0), (6, 1))


@check()
def django_is_tested() -> Messages:
    """Check that idlewatch was tested with this version of Django."""
    if django.VERSION[:2] > TESTED_DJANGO[-1]:
        oldest, newest = ("{}.{}".format(*version) for version in (TESTED_DJANGO[0], TESTED_DJANGO[-1]))
        message = f"Django is {django.get_version()}; idlewatch was tested with {oldest} to {newest}."
        hint = "Look for a newer idlewatch. If you have tested this version yourself, silence this check by its id."
        yield Warning(message, hint=hint, id="idlewatch.W025")


@check()
def drafts_can_be_encrypted() -> Messages:
    """Check that the package which encrypts drafts is installed."""
    if apps.is_installed(DRAFTS_APP) and not is_installed(Extra.DRAFTS) and _draft_age() > 0:
        message = f"{DRAFTS_APP!r} is in INSTALLED_APPS, and the package 'cryptography' is not installed; expected it."
        yield Warning(message, hint=f"No drafts are stored without it. {Extra.DRAFTS.command}", id="idlewatch.W026")


@check()
def drafts_are_installed() -> Messages:
    """Check that `DRAFT_AGE` is not set without the app that reads it."""
    if "DRAFT_AGE" in written() and not apps.is_installed(DRAFTS_APP) and _draft_age() > 0:
        message = f"{place('DRAFT_AGE')} is set, and {DRAFTS_APP!r} is not in INSTALLED_APPS; expected it there."
        hint = f"No drafts are stored without it. It needs: {Extra.DRAFTS.command}"
        yield Warning(message, hint=hint, id="idlewatch.W027")


@check()
def metrics_can_be_shown() -> Messages:
    """Check that the package which counts metrics is installed, if the site exposes them."""
    if not is_installed(Extra.METRICS) and (written().get("METRICS_TOKEN") is not None or _routes_metrics()):
        message = "The site exposes metrics, and the package 'prometheus-client' is not installed; expected it to be."
        hint = f"Nothing is counted without it, and the view answers 404. {Extra.METRICS.command}"
        yield Warning(message, hint=hint, id="idlewatch.W028")


@check()
def sockets_have_a_server() -> Messages:
    """Check that an ASGI server is installed, if there is an ASGI application."""
    if getattr(settings, "ASGI_APPLICATION", None) and not any(map(find_spec, ASGI_SERVERS)):
        message = (
            f"ASGI_APPLICATION is set, and no ASGI server is installed; expected one of {', '.join(ASGI_SERVERS)}."
        )
        hint = f"Without sockets pages fall back to HTTP. {Extra.DAPHNE.command}"
        yield Warning(message, hint=hint, id="idlewatch.W029")


@check(deploy=True)
def devices_have_names() -> Messages:
    """Check that the package which recognizes devices is installed."""
    try:
        is_shown = conf.keep_user_agent
    except ImproperlyConfigured:
        return
    if is_shown and not is_installed(Extra.DEVICES):
        message = "The package 'ua-parser' is not installed: every browser is shown as “Unknown device”."
        hint = f"For names like “Chrome 131 on Windows”: {Extra.DEVICES.command}"
        yield Info(message, hint=hint, id="idlewatch.I001")


def _draft_age() -> float:
    try:
        return conf.draft_age
    except ImproperlyConfigured:
        return 0.0  # Another check reports it.


def _routes_metrics() -> bool:
    from idlewatch.views.ops import metrics  # noqa: PLC0415 - models must be loaded first

    try:
        return metrics in _views(get_resolver())
    except Exception:  # noqa: BLE001 - Django's own checks report a URLconf that can't be loaded
        return False


def _views(resolver: URLResolver) -> Iterator[Any]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from _views(pattern)
        elif isinstance(pattern, URLPattern):
            yield pattern.callback
