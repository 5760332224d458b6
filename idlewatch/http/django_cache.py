"""The switch by which Django's cache middleware and `cache_page` store a response, or do not."""

from __future__ import annotations

from django.http import HttpRequest

from idlewatch.conf import conf
from idlewatch.http.view_warnings import warn

UPDATES_CACHE = "_cache_update_cache"
"""Django's private attribute of a request: whether the response is to be cached."""
NOT_CACHED = (
    "%s is decorated with cache_page, but its page depends on the session, by {%% idlewatch %%} or request.idlewatch: "
    "it is not cached. Cache what it shows instead, by {%% cache %%} or in the view."
)


def withhold(request: HttpRequest) -> bool:
    """Prevent Django from caching the response to a request; return whether it was about to.

    `cache_page` decides by the request, before any middleware sees the response.
    """
    if not getattr(request, UPDATES_CACHE, False):
        return False
    setattr(request, UPDATES_CACHE, False)
    if not conf.caches_all_pages:
        warn(request, NOT_CACHED)
    return True


def release(request: HttpRequest) -> None:
    """Let the cache middleware store the response after all."""
    setattr(request, UPDATES_CACHE, True)
