"""The tests' site on the database in `COST_DATABASE`: `postgresql:port/name`, `mysql:port/name` or `sqlite3:path`."""

from __future__ import annotations

import os

from tests.support.settings import *  # noqa: F403

_VENDOR, _, _PLACE = os.environ["COST_DATABASE"].partition(":")
_PORT, _, _NAME = _PLACE.partition("/")
_USERS = {"postgresql": "idlewatch", "mysql": "root"}
DATABASES = {"default": {"ENGINE": f"django.db.backends.{_VENDOR}"}}
if _VENDOR in _USERS:
    DATABASES["default"] |= {"HOST": "127.0.0.1", "USER": _USERS[_VENDOR], "PORT": _PORT, "NAME": _NAME}
else:
    DATABASES["default"] |= {"NAME": _PLACE}
if _VENDOR == "mysql":
    import pymysql

    pymysql.install_as_MySQLdb()
IDLEWATCH = {"MAX_SESSIONS_PER_USER": 1000}
