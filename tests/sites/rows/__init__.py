"""All sites, in the order of the table."""

from __future__ import annotations

from tests.sites.row import Row
from tests.sites.rows import (
    accounts,
    admin_themes,
    apis,
    caching,
    deployments,
    django_sites,
    impersonation,
    pages,
    servers,
    session_engines,
    tenants,
)

ROWS: list[Row] = [
    *django_sites.ROWS,
    *caching.ROWS,
    *session_engines.ROWS,
    *accounts.ROWS,
    *impersonation.ROWS,
    *admin_themes.ROWS,
    *apis.ROWS,
    *pages.ROWS,
    *deployments.ROWS,
    *tenants.ROWS,
    *servers.ROWS,
]


def named(name: str) -> Row:
    """Return the row of a name."""
    return next(row for row in ROWS if row.name == name)
