"""The plain project, as the README's five steps make it, and what the row in `SITE` changes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.sites.rows import named

ROW = named(os.environ["SITE"])
DIRECTORY = Path(os.environ["SITE_DIRECTORY"])
ROOT = Path(__file__).resolve().parents[2]


def plain() -> dict[str, Any]:
    """Return the settings of a plain project."""
    return {
        "DEBUG": True,
        "SECRET_KEY": "for sites under test",
        "ALLOWED_HOSTS": ["127.0.0.1", "localhost"],
        "INSTALLED_APPS": [
            "daphne",
            *ROW.first_apps,
            "idlewatch",
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "django.contrib.staticfiles",
            "servestatic",
            *ROW.apps,
        ],
        "MIDDLEWARE": [
            "django.middleware.security.SecurityMiddleware",
            "servestatic.middleware.ServeStaticMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "idlewatch.middleware.IdleWatchMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
            *ROW.middleware,
        ],
        "ROOT_URLCONF": "tests.sites.urls",
        "ASGI_APPLICATION": "tests.sites.asgi.application",
        "TEMPLATES": [
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "DIRS": [Path(__file__).parent / "templates"],
                "OPTIONS": {
                    "loaders": [
                        ("django.template.loaders.locmem.Loader", dict(ROW.templates)),
                        "django.template.loaders.filesystem.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ],
                },
            },
        ],
        "DATABASES": {
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": DIRECTORY / "db.sqlite3",
                "OPTIONS": {
                    "transaction_mode": "IMMEDIATE",
                    "timeout": 20,
                    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;",
                },
            }
        },
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        # A password costs half a second of a core otherwise.
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
        "LOGIN_URL": "login",
        "LOGIN_REDIRECT_URL": "home",
        "SESSION_EXPIRE_AT_BROWSER_CLOSE": True,
        "EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend",
        "STATIC_URL": "static/",
        "STATICFILES_DIRS": [ROOT / "static", ROOT / "tests" / "sites" / "static"],
        "USE_TZ": True,
        "IDLEWATCH": {"POLICY": "tests.sites.limits.limits", **_store()},
        "CHANNEL_LAYERS": _layers(),
    }


def _store() -> dict[str, Any]:
    url = os.environ.get("SITE_REDIS")
    return {"STORE": {"BACKEND": "idlewatch.store.redis.RedisStore", "LOCATION": url}} if url else {}


def _layers() -> dict[str, Any]:
    if url := os.environ.get("SITE_REDIS"):
        config = {"hosts": [{"address": url, "socket_timeout": None}]}
        return {"default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": config}}
    return {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}


_PLAIN = plain()
globals().update(_PLAIN | dict(ROW.changed(_PLAIN)))
