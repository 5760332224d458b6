"""The settings of the deployable project; what differs between deployments comes from environment variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from project import env

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = env.read("DEBUG", env.boolean, default=False)

# `DEBUG=0 SECURE=0` serves plain HTTP, to try it out. Otherwise users connect over HTTPS, through a proxy that sets
# X-Forwarded-Proto itself and removes any that a client sends.
SECURE = env.read("SECURE", env.boolean, default=not DEBUG)

# Fixed in development, so that sessions survive a restart of the server.
SECRET_KEY = env.text("SECRET_KEY", "django-insecure-for-development-only-this-key-is-public" if DEBUG else "")
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "The environment variable SECRET_KEY is unset; expected a long random string (or DEBUG=1)."
    )

ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS", [])

INSTALLED_APPS = [
    "daphne",  # Before staticfiles: it makes `runserver` serve ASGI.
    "servestatic",
    # Before the admin: their templates take precedence.
    "project",
    "idlewatch",
    "idlewatch.drafts",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "idlewatch.middleware.IdleWatchMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "project.urls"
ASGI_APPLICATION = "project.asgi.application"
WSGI_APPLICATION = "project.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


def database() -> dict[str, Any]:
    """Return the database of `DATABASE_URL`; by default an SQLite file next to `manage.py`."""
    url = env.text("DATABASE_URL", f"sqlite:///{BASE_DIR / 'db.sqlite3'}")
    try:
        config: dict[str, Any] = {**dj_database_url.parse(url)}
    except ValueError:
        # The URL may hold a password: show only its scheme.
        scheme = urlsplit(url).scheme
        env.refuse("DATABASE_URL", f"{scheme}:…", "a database URL, like postgres://user:password@host/name")
    if config["ENGINE"] == "django.db.backends.sqlite3":
        config["OPTIONS"] = {
            # Writers wait for each other for up to 20 s instead of failing at once.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            **config.get("OPTIONS", {}),
        }
    return config


DATABASES = {"default": database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "demo"
LOGOUT_REDIRECT_URL = "login"

IDLEWATCH: dict[str, Any] = {
    # With Python's own, a process with thousands of tabs would often stand still for up to a second.
    "GC_THRESHOLDS": (10_000, 100, 2),
    **env.idlewatch(),
}
CHANNEL_LAYERS: dict[str, Any] = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
if REDIS_URL := env.redis_url():
    # Any number of processes share the Redis store.
    IDLEWATCH["STORE"] = {"BACKEND": "idlewatch.store.redis.RedisStore", "LOCATION": REDIS_URL}
    CHANNEL_LAYERS["default"] = {
        # It keeps its sockets when Redis is restarted, and runs on a cluster.
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        # No timeout: redis-py 8 has one of five seconds by default, after which the core layer of channels_redis would
        # drop sockets that have received no message (channels_redis#422).
        "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": None}], "prefix": "idlewatch"},
    }

SESSION_EXPIRE_AT_BROWSER_CLOSE = True
CSRF_COOKIE_HTTPONLY = True  # `{% idlewatch %}` passes the token to the page.

if SECURE:
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SESSION_COOKIE_NAME = "__Host-sessionid"
    CSRF_COOKIE_NAME = "__Host-csrftoken"
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    # Probes connect to the process itself, over plain HTTP.
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
    SECURE_HSTS_SECONDS = 31_536_000
    # HSTS for subdomains and preloading are decisions for the owner of the domain.
    SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "object-src": ["'none'"],
    },
}
X_FRAME_OPTIONS = "DENY"

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
SERVESTATIC_ALLOW_ALL_ORIGINS = False
if not DEBUG:
    STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "project.storage.StaticStorage"},
    }

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "django": {"handlers": ["console"], "level": "INFO", "propagate": False},
        "idlewatch": {"handlers": ["console"], "level": "INFO", "propagate": False},
    },
}
