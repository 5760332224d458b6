"""The deployable project's settings, on the servers of a run."""

from __future__ import annotations

from project.settings import *  # noqa: F403
from project.settings import IDLEWATCH, LOGGING

LOGGING["loggers"]["django"]["level"] = LOGGING["loggers"]["idlewatch"]["level"] = "ERROR"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# So that signing in counts the user's sessions.
IDLEWATCH["MAX_SESSIONS_PER_USER"] = 50
