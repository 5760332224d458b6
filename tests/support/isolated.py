"""The tests' site on PostgreSQL, each request a transaction that may not write to what others wrote to meanwhile."""

from __future__ import annotations

import os

import dj_database_url
from psycopg import IsolationLevel

from tests.support.settings import *  # noqa: F403

DATABASES = {
    "default": {
        **dj_database_url.parse(os.environ["DATABASE_URL"]),
        "ATOMIC_REQUESTS": True,
        "OPTIONS": {"isolation_level": IsolationLevel[os.environ["ISOLATION"]]},
    }
}
ROOT_URLCONF = "tests.support.http_site"
SESSION_ENGINE = f"django.contrib.sessions.backends.{os.environ['ENGINE']}"
