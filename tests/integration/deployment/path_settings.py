"""The deployable project below a path, beside another site on the same host."""

from __future__ import annotations

import os

from tests.integration.server.settings import *  # noqa: F403

SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = os.environ["SITE_PATH"]
FORCE_SCRIPT_NAME = os.environ.get("SITE_SCRIPT_NAME")
