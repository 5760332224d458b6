"""Caches, in the server and in the browser."""

from __future__ import annotations

from typing import Any

from django.urls import include, path
from django.views.decorators.cache import cache_page

from tests.sites.row import Row
from tests.sites.views import page, public_page, site_page

ACCOUNTS = "django.contrib.auth.urls"


def _site_wide(plain: dict[str, Any]) -> dict[str, Any]:
    first, last = "django.middleware.cache.UpdateCacheMiddleware", "django.middleware.cache.FetchFromCacheMiddleware"
    return {"MIDDLEWARE": [first, *plain["MIDDLEWARE"], last]}


ROWS = [
    Row(
        "cache_page around the page",
        urls=lambda: [site_page(cache_page(60)(page)), path("accounts/", include(ACCOUNTS))],
    ),
    Row(
        "Site-wide cache, public page",
        public=True,
        settings=_site_wide,
        urls=lambda: [site_page(public_page), path("accounts/", include(ACCOUNTS))],
    ),
    Row(
        "ConditionalGetMiddleware, public page",
        rarely=True,
        public=True,
        settings=lambda plain: {
            "MIDDLEWARE": ["django.middleware.http.ConditionalGetMiddleware", *plain["MIDDLEWARE"]]
        },
        urls=lambda: [site_page(public_page), path("accounts/", include(ACCOUNTS))],
    ),
]
