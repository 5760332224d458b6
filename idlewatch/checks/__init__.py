"""What `manage.py check` says about the setting `IDLEWATCH`, and about the site that idlewatch is installed in."""

from idlewatch.checks import admin, deployment, limits, middleware, options, sessions, sharing, stores, wiring

__all__ = ["admin", "deployment", "limits", "middleware", "options", "sessions", "sharing", "stores", "wiring"]
