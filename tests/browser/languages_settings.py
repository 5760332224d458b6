"""The site of the browser tests, in the language that the browser asks for."""

from __future__ import annotations

from tests.browser.settings import *  # noqa: F403
from tests.browser.settings import MIDDLEWARE as _MIDDLEWARE

_after = _MIDDLEWARE.index("django.contrib.sessions.middleware.SessionMiddleware") + 1

MIDDLEWARE = [*_MIDDLEWARE[:_after], "django.middleware.locale.LocaleMiddleware", *_MIDDLEWARE[_after:]]
