"""The project's settings as a deployment has them, and what the site in `DOCTOR_SITE` changes."""

from __future__ import annotations

import os

from tests.integration.doctor.breakage import PATH, Base
from tests.integration.doctor.table import named
from tests.support.deployed import *  # noqa: F403

_SITE = named(os.environ["DOCTOR_SITE"])
# Sign-ins are made by probes; a slow hash would show nothing.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ROOT_URLCONF = _SITE.urls
if _SITE.base is Base.BELOW:
    FORCE_SCRIPT_NAME = PATH
    # A name with `__Host-` needs the path "/".
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Secure-app-sessionid", "__Secure-app-csrftoken"
    SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = f"{PATH}/"
    STATIC_URL = f"{PATH}/static/"
if _SITE.templates:
    [_templates] = TEMPLATES  # type: ignore[name-defined]  # noqa: F405
    _templates["APP_DIRS"] = False
    _templates["OPTIONS"]["loaders"] = [
        ("django.template.loaders.locmem.Loader", dict(_SITE.templates)),
        "django.template.loaders.app_directories.Loader",
    ]
globals().update(_SITE.settings({name: value for name, value in globals().items() if name.isupper()}))
