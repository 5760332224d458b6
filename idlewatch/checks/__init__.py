"""The system checks: of the setting `IDLEWATCH`, and of the project that idlewatch is installed in."""

from idlewatch.checks import (
    admin,
    deployment,
    extras,
    integration,
    limits,
    middleware,
    multiprocess,
    sessions,
    settings,
    stores,
)

__all__ = [
    "admin",
    "deployment",
    "extras",
    "integration",
    "limits",
    "middleware",
    "multiprocess",
    "sessions",
    "settings",
    "stores",
]
