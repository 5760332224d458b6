"""The tests' site on several processes, with the channel layer that the environment names."""

from __future__ import annotations

import os

from tests.integration.faults.settings import *  # noqa: F403
from tests.integration.faults.settings import CHANNEL_LAYERS as _LAYERS  # type: ignore[attr-defined]

CHANNEL_LAYERS = {"default": {**_LAYERS["default"], "BACKEND": os.environ["LAYER"]}}
