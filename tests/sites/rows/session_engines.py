"""Where packages keep sessions in the place of Django's own engines."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from tests.sites.row import Row, without


def _engine(app: str, engine: str) -> dict[str, Any]:
    """Return a row's changes for an app that replaces Django's sessions and their middleware."""
    return {
        "packages": (f"django-{app.replace('_', '-')}",),
        "settings": lambda plain: {
            "SESSION_ENGINE": f"{app}.backends.{engine}",
            "INSTALLED_APPS": [*without(plain["INSTALLED_APPS"], "django.contrib.sessions"), app],
            "MIDDLEWARE": [
                f"{app}.middleware.SessionMiddleware" if each.endswith(".SessionMiddleware") else each
                for each in plain["MIDDLEWARE"]
            ],
        },
    }


def _redis(plain: dict[str, Any]) -> dict[str, Any]:
    redis = urlsplit(os.environ.get("SITE_REDIS", "redis://127.0.0.1:1"))
    return {
        "SESSION_ENGINE": "redis_sessions.session",
        "INSTALLED_APPS": without(plain["INSTALLED_APPS"], "django.contrib.sessions"),
        "SESSION_REDIS": {"host": redis.hostname, "port": redis.port, "prefix": "session"},
    }


ROWS = [
    Row("django-user-sessions", **_engine("user_sessions", "db")),
    Row("django-qsessions", **_engine("qsessions", "cached_db")),
    Row("django-redis-sessions", packages=("django-redis-sessions",), settings=_redis, redis=True),
]
