"""Paths, proxies and databases."""

from __future__ import annotations

import os
from typing import Any

from tests.sites.row import Row


def _below(plain: dict[str, Any]) -> dict[str, Any]:
    prefix = os.environ["SITE_PREFIX"]
    paths = dict.fromkeys(("SESSION_COOKIE_PATH", "CSRF_COOKIE_PATH"), f"{prefix}/")
    # In full: under ASGI Django reads it before it knows the script name.
    return {"FORCE_SCRIPT_NAME": prefix, "STATIC_URL": f"{prefix}/static/", **paths}


def _replicated(plain: dict[str, Any]) -> dict[str, Any]:
    primary = plain["DATABASES"]["default"]
    replica = {**primary, "NAME": str(primary["NAME"]) + ".replica", "TEST": {"MIRROR": "default"}}
    return {
        "DATABASES": {"default": primary, "replica": replica},
        "DATABASE_ROUTERS": ["tests.sites.replica.Router"],
        "SESSION_ENGINE": "django.contrib.sessions.backends.file",
    }


def _mariadb(plain: dict[str, Any]) -> dict[str, Any]:
    import pymysql

    pymysql.install_as_MySQLdb()
    server = {"ENGINE": "django.db.backends.mysql", "NAME": "site", "USER": "root", "HOST": "127.0.0.1"}
    return {"DATABASES": {"default": {**server, "PORT": os.environ["SITE_DATABASE"]}}}


ROWS = [
    Row("A sub-path behind nginx", prefix="/app", settings=_below),
    Row("Two sites on one host", rarely=True, prefix="/app", neighbour="/other", settings=_below, wire=False),
    Row("A read replica that lags", settings=_replicated, prepare="tests.sites.replica.copy"),
    Row("MariaDB", packages=("pymysql",), database="mariadb", settings=_mariadb),
]
