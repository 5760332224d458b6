"""The deployable project on Redis, with a way in that needs no form, and a line in the log for each end."""

from __future__ import annotations

import os

from project.settings import *  # noqa: F403
from project.settings import CHANNEL_LAYERS as _LAYERS

ROOT_URLCONF = "tests.integration.faults.urls"
_LAYERS["default"]["BACKEND"] = os.environ.get("LAYER", _LAYERS["default"]["BACKEND"])
if os.environ.get("CAPACITY"):
    _LAYERS["default"]["CONFIG"]["capacity"] = int(os.environ["CAPACITY"])
