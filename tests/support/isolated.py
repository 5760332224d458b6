"""The tests' site on a PostgreSQL whose transactions are refused what others wrote to meanwhile, one for each request."""

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
