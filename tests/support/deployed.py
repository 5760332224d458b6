"""The project's settings as a deployment has them, with its static files in a place of the test's own."""

from __future__ import annotations

import os

from project.settings import *  # noqa: F403

STATIC_ROOT = os.environ["STATIC_ROOT"]
