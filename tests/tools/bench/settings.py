"""The deployable project's settings, and what the variants of a run add to them."""

from __future__ import annotations

import os

from project.settings import *  # noqa: F403
from project.settings import DATABASES, INSTALLED_APPS, LOGGING, MIDDLEWARE

ROOT_URLCONF = "tests.tools.bench.urls"
INSTALLED_APPS = [*INSTALLED_APPS, "session_security"]
SESSION_SECURITY_EXPIRE_AFTER = 86_400
LOGGING["loggers"]["django"]["level"] = LOGGING["loggers"]["idlewatch"]["level"] = "ERROR"

if "BENCH_SECURITY" in os.environ:
    PEER = "session_security.middleware.SessionSecurityMiddleware"
    MIDDLEWARE = [PEER if name.startswith("idlewatch.") else name for name in MIDDLEWARE]

if root := os.environ.get("STATIC_ROOT"):
    STATIC_ROOT = root

if "BENCH_KEEP_CONNECTIONS" in os.environ:
    DATABASES["default"]["CONN_MAX_AGE"] = None

if layer := os.environ.get("BENCH_CHANNEL_LAYER"):
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [{"address": layer, "socket_timeout": None}], "prefix": "usual"},
        }
    }
