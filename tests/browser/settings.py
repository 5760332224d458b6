"""The deployable project in the visitor's language, with pages on which to try what the demo has not.

Each session has the limits that a cookie asks for at its sign-in.
"""

from __future__ import annotations

from pathlib import Path

from project.settings import *  # noqa: F403
from project.settings import IDLEWATCH as _LIMITS
from project.settings import INSTALLED_APPS as _APPS
from project.settings import MIDDLEWARE as _MIDDLEWARE
from project.settings import STATICFILES_DIRS as _STATIC
from project.settings import TEMPLATES as _TEMPLATES

_HERE = Path(__file__).resolve().parent
_AFTER = _MIDDLEWARE.index("django.contrib.sessions.middleware.SessionMiddleware") + 1

ROOT_URLCONF = "tests.browser.urls"
INSTALLED_APPS = [*_APPS, "django_htmx"]
MIDDLEWARE = [*_MIDDLEWARE[:_AFTER], "django.middleware.locale.LocaleMiddleware", *_MIDDLEWARE[_AFTER:]]
STATICFILES_DIRS = [*_STATIC, _HERE / "static"]
TEMPLATES = [{**_TEMPLATES[0], "DIRS": [_HERE / "templates"]}]
IDLEWATCH = {**_LIMITS, "POLICY": "tests.browser.life.limits"}
# A password costs half a second of a core otherwise, which the browsers need.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
