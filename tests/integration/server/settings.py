"""The deployable project, with limits for each user by name, and ways in that need no form."""

from __future__ import annotations

from project.settings import *  # noqa: F403
from project.settings import IDLEWATCH as _LIMITS

ROOT_URLCONF = "tests.integration.server.urls"
IDLEWATCH = {**_LIMITS, "POLICY": "tests.integration.server.urls.limits", "CLOSE_GRACE": 1}
