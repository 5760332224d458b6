"""The deployable project, with pages on which to try what the demo has no use for."""

from __future__ import annotations

from pathlib import Path

from project.settings import *  # noqa: F403
from project.settings import INSTALLED_APPS as _APPS
from project.settings import STATICFILES_DIRS as _STATIC
from project.settings import TEMPLATES as _TEMPLATES

_HERE = Path(__file__).resolve().parent

ROOT_URLCONF = "tests.browser.urls"
INSTALLED_APPS = [*_APPS, "django_htmx"]
STATICFILES_DIRS = [*_STATIC, _HERE / "static"]
TEMPLATES = [{**_TEMPLATES[0], "DIRS": [_HERE / "templates"]}]
# A password costs half a second of a core otherwise, which the browsers need.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
