"""The deployable project with the pages of docs/examples, and what was built for them in `BUILT`."""

from __future__ import annotations

import os
from pathlib import Path

from project.settings import *  # noqa: F403
from project.settings import BASE_DIR as _ROOT
from project.settings import TEMPLATES as _TEMPLATES

_EXAMPLES = _ROOT / "docs" / "examples"

ROOT_URLCONF = "tests.browser.examples.urls"
TEMPLATES = [{**_TEMPLATES[0], "DIRS": [_EXAMPLES]}]
STATICFILES_DIRS = [_ROOT / "static", Path(os.environ["BUILT"])]
# A password costs half a second of a core otherwise, which the browsers need.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
