"""The system checks: of the setting `IDLEWATCH`, and of the project that idlewatch is installed in."""

from idlewatch.checks import (
    caching,
    deployment,
    extras,
    integration,
    limits,
    middleware,
    multiprocess,
    pages,
    predecessors,
    query_caches,
    reauthentication,
    sessions,
    settings,
    stores,
    tenants,
)

__all__ = [
    "caching",
    "deployment",
    "extras",
    "integration",
    "limits",
    "middleware",
    "multiprocess",
    "pages",
    "predecessors",
    "query_caches",
    "reauthentication",
    "sessions",
    "settings",
    "stores",
    "tenants",
]
