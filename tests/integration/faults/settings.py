"""The deployable project on Redis, with a way in that needs no form, and a word in the log for each end."""

from __future__ import annotations

import os

from project.settings import *  # noqa: F403
from project.settings import CHANNEL_LAYERS as _LAYERS

ROOT_URLCONF = "tests.integration.faults.urls"
if os.environ.get("FULL_AT"):
    _LAYERS["default"]["BACKEND"] = "channels_redis.core.RedisChannelLayer"
    _LAYERS["default"]["CONFIG"]["capacity"] = int(os.environ["FULL_AT"])
