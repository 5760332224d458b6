"""All sites, in the order of the table."""

from __future__ import annotations

from tests.sites.row import Row
from tests.sites.rows import accounts, admin_themes, apis, caching, deployments, django_sites, pages, servers

ROWS: list[Row] = [
    *django_sites.ROWS,
    *caching.ROWS,
    *accounts.ROWS,
    *admin_themes.ROWS,
    *apis.ROWS,
    *pages.ROWS,
    *deployments.ROWS,
    *servers.ROWS,
]


def named(name: str) -> Row:
    """Return the row of a name."""
    return next(row for row in ROWS if row.name == name)
