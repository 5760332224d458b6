"""Caches, in the server and in the browser."""

from __future__ import annotations

from typing import Any

from django.urls import include, path
from django.views.decorators.cache import cache_page
from django.views.generic import TemplateView

from tests.sites.row import Row
from tests.sites.views import page, plain_urls, public_page, site_page

ACCOUNTS = "django.contrib.auth.urls"
WORKER = """\
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

async function fromCacheFirst(request) {
  const cache = await caches.open("pages");
  const kept = await cache.match(request.url);
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok) await cache.put(request.url, response.clone());
  return response;
}

self.addEventListener("fetch", (event) => {
  if (new URL(event.request.url).pathname === "/") event.respondWith(fromCacheFirst(event.request));
});
"""
WORKING = """\
{% extends "sites/base.html" %}{% load static %}
{% block head %}<script type="module" src="{% static "sites/working.js" %}"></script>{% endblock %}
{% block content %}<h1>Private</h1>{% endblock %}
"""


def _site_wide(plain: dict[str, Any]) -> dict[str, Any]:
    first, last = "django.middleware.cache.UpdateCacheMiddleware", "django.middleware.cache.FetchFromCacheMiddleware"
    return {"MIDDLEWARE": [first, *plain["MIDDLEWARE"], last]}


def _working() -> list[Any]:
    worker = TemplateView.as_view(template_name="sites/worker.js", content_type="text/javascript")
    return [path("worker.js", worker), *plain_urls()]


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
    Row(
        "A service worker, cache first",
        rarely=True,
        templates={"sites/page.html": WORKING, "sites/worker.js": WORKER},
        urls=_working,
        from_cache=True,
    ),
]
