"""The deployable project in the visitor's language, whose own page around the user's sessions does not win."""

from __future__ import annotations

from tests.browser.settings import *  # noqa: F403
from tests.browser.settings import INSTALLED_APPS as _APPS

INSTALLED_APPS = ["idlewatch", *(app for app in _APPS if app != "idlewatch")]
