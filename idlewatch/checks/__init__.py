"""What `manage.py check` says about the setting `IDLEWATCH`, and about the site that idlewatch is installed in."""

from idlewatch.checks import admin, deployment, integration, limits, middleware, multiprocess, options, sessions, stores

__all__ = [
    "admin",
    "deployment",
    "integration",
    "limits",
    "middleware",
    "multiprocess",
    "options",
    "sessions",
    "stores",
]
