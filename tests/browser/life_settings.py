"""The tests' site, with limits that each session chooses for itself at its sign-in."""

from __future__ import annotations

from tests.browser.settings import *  # noqa: F403
from tests.browser.settings import IDLEWATCH as _LIMITS

IDLEWATCH = {**_LIMITS, "POLICY": "tests.browser.life.limits"}
