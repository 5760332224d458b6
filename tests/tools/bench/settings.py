"""The deployable project's settings, and what the variants of a run add to them."""

from __future__ import annotations

import os

from project.settings import *  # noqa: F403
from project.settings import DATABASES, INSTALLED_APPS, LOGGING

ROOT_URLCONF = "tests.tools.bench.urls"
INSTALLED_APPS = [*INSTALLED_APPS, "session_security"]
SESSION_SECURITY_EXPIRE_AFTER = 86_400
LOGGING["loggers"]["django"]["level"] = LOGGING["loggers"]["idlewatch"]["level"] = "ERROR"

if "BENCH_KEEP_CONNECTIONS" in os.environ:
    DATABASES["default"]["CONN_MAX_AGE"] = None

if layer := os.environ.get("BENCH_CHANNEL_LAYER"):
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [{"address": layer, "socket_timeout": None}], "prefix": "usual"},
        }
    }
