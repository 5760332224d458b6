"""Tenants with a schema of their own, chosen by a middleware for each request."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from tests.sites.row import Row
from tests.support.postgres_server import ROLE

APPS = ("django_tenants", "tests.sites.tenancy")
USERS = ("idlewatch", "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions")


def _tenants(*own: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return the settings of a site whose tenants have tables of their own for these apps."""

    def settings(plain: dict[str, Any]) -> dict[str, Any]:
        server = {
            "ENGINE": "django_tenants.postgresql_backend",
            "NAME": "site",
            "USER": ROLE,
            "HOST": "127.0.0.1",
        }
        apps = [*APPS, *plain["INSTALLED_APPS"]]
        return {
            "INSTALLED_APPS": apps,
            "SHARED_APPS": [app for app in apps if app not in own],
            "TENANT_APPS": list(own),
            "TENANT_MODEL": "tenancy.Tenant",
            "TENANT_DOMAIN_MODEL": "tenancy.Domain",
            "MIDDLEWARE": ["django_tenants.middleware.main.TenantMainMiddleware", *plain["MIDDLEWARE"]],
            "DATABASES": {"default": {**server, "PORT": os.environ.get("SITE_DATABASE", "1")}},
            "DATABASE_ROUTERS": ["django_tenants.routers.TenantSyncRouter"],
        }

    return settings


def add_tenant() -> None:
    """Add the tenant of the host that visitors ask for."""
    from tests.sites.tenancy.models import Domain, Tenant

    tenant = Tenant.objects.create(schema_name="acme")
    Domain.objects.create(domain="127.0.0.1", tenant=tenant)


ROWS = [
    Row(
        "django-tenants, users shared",
        packages=("django-tenants",),
        settings=_tenants("django.contrib.admin"),
        database="postgresql",
        prepare="tests.sites.rows.tenants.add_tenant",
    ),
    Row(
        "django-tenants, users of each tenant",
        packages=("django-tenants",),
        settings=_tenants("django.contrib.admin", *USERS),
        refused="idlewatch.E050",
    ),
]
