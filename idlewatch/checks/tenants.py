"""Checks of state that a middleware sets for each request: sockets and the timer pass no middleware."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from django.apps import AppConfig, apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import Error
from django.db import router
from django.db.models import Model

from idlewatch.checks.registry import Messages, check
from idlewatch.checks.sessions import ENGINES_WITH_A_TABLE
from idlewatch.conf.declaration import DOCUMENTATION
from idlewatch.conf.settings import conf

DRAFTS = "idlewatch.drafts"
SESSIONS = "django.contrib.sessions"
HINT = f"Sockets and the timer pass no middleware, so no tenant is set there. See {DOCUMENTATION}/deployment.md#tenants"


@check()
def tables_are_shared_by_tenants() -> Messages:
    """Check that no tenant has the tables of sessions and users to itself (django-tenants, django-pgschemas)."""
    needed = {"idlewatch", DRAFTS, get_user_model()._meta.app_config.name}
    if conf.session_engine in ENGINES_WITH_A_TABLE:
        needed.add(SESSIONS)
    found = sorted(needed.intersection(_tenant_apps()))
    if found:
        message = f"Each tenant has tables of its own for {', '.join(map(repr, found))}; expected them to be shared."
        hint = f"Move them from TENANT_APPS to SHARED_APPS, in the public schema. {HINT}"
        yield Error(message, hint=hint, id="idlewatch.E050")


@check()
def tables_are_found_outside_requests() -> Messages:
    """Check that neither a router nor a manager needs what a middleware sets."""
    for model in _models():
        try:
            router.db_for_read(model)
            router.db_for_write(model)
            # Accounts are asked for without the site's own manager.
            (model._base_manager if model is get_user_model() else model._default_manager).all()
        except Exception as error:  # noqa: BLE001 - an exception in a project's code is a finding, not a crash
            message = (
                f"{model._meta.label} can't be queried outside a request: a router or its manager raises "
                f"{type(error).__name__} ({error}); expected them to do without what a middleware sets."
            )
            yield Error(message, hint=HINT, id="idlewatch.E051")


def _models() -> Iterator[type[Model]]:
    yield from apps.get_app_config("idlewatch").get_models()
    yield get_user_model()
    if conf.session_engine in ENGINES_WITH_A_TABLE and apps.is_installed(SESSIONS):
        yield from apps.get_app_config("sessions").get_models()


def _tenant_apps() -> Iterator[str]:
    """Yield the names of the apps that each tenant has in a schema of its own."""
    entries = list(_listed(getattr(settings, "TENANT_APPS", ())))
    tenants = getattr(settings, "TENANTS", {})
    for name, tenant in tenants.items() if isinstance(tenants, Mapping) else ():
        if name != "public" and isinstance(tenant, Mapping):
            entries += _listed(tenant.get("APPS", ()))
    for entry in entries:
        try:
            yield AppConfig.create(entry).name
        except Exception:  # noqa: BLE001 - Django itself reports an app that can't be loaded
            yield entry


def _listed(value: object) -> Iterable[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list | tuple) else []
