"""The project's settings as a deployment has them, with ways in that need no form, and the grace of one second."""

from __future__ import annotations

from tests.support.deployed import *  # noqa: F403
from tests.support.deployed import IDLEWATCH as _LIMITS  # type: ignore[attr-defined]

ROOT_URLCONF = "tests.integration.server.urls"
IDLEWATCH = {**_LIMITS, "POLICY": "tests.integration.server.urls.limits", "CLOSE_GRACE": 1}
# Tests sign in often; a slow hash shows them nothing.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
