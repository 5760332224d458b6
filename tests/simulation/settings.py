"""The simulated site."""

from __future__ import annotations

SECRET_KEY = "not secret: the simulation's own"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "channels",
    "idlewatch",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "tests.simulation.site.ServedMiddleware",
    "idlewatch.middleware.IdleWatchMiddleware",
]
ROOT_URLCONF = "tests.simulation.site"
LOGIN_URL = "/login/"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DATABASES = {
    "default": {
        "ENGINE": "tests.simulation.database",
        "NAME": ":memory:",  # Each schedule has a file of its own: see `bench`.
        "CONN_MAX_AGE": None,
        # It waits for another's lock in virtual time.
        "OPTIONS": {"timeout": 0, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA synchronous=OFF;"},
    }
}
DATABASES["replica"] = DATABASES["default"].copy()
DATABASE_ROUTERS = ["tests.simulation.replica.Router"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 10_000}}}
CHANNEL_LAYERS = {"default": {"BACKEND": "tests.simulation.channel_layer.Layer"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
STATIC_URL = "/static/"
IDLEWATCH: dict[str, object] = {}
LOGGING_CONFIG = None
