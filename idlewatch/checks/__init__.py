"""What `manage.py check` finds in the setting `IDLEWATCH`, and in the project that idlewatch is installed in."""

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
