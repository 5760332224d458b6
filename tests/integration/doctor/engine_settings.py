"""The deployable project with the session engine in `ENGINE`, which saves each session with each request."""

from __future__ import annotations

import os

from project.settings import *  # noqa: F403

SESSION_ENGINE = f"django.contrib.sessions.backends.{os.environ['ENGINE']}"
SESSION_FILE_PATH = os.environ["DIRECTORY"]
# Several processes share it, as a server's.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": os.environ["DIRECTORY"],
    }
}
SESSION_SAVE_EVERY_REQUEST = True
# Then each visitor has a session; here none is kept on the server.
CSRF_USE_SESSIONS = os.environ["ENGINE"] == "signed_cookies"
