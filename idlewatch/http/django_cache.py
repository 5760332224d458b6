"""The switch by which Django's cache middleware and `cache_page` store a response, or do not."""

from __future__ import annotations

import logging
from functools import lru_cache

from django.http import HttpRequest

from idlewatch.conf import conf
from idlewatch.http.classification import view_name_of

logger = logging.getLogger("idlewatch")

UPDATES_CACHE = "_cache_update_cache"
"""Django's private attribute of a request: whether the response is to be cached."""


def withhold(request: HttpRequest) -> bool:
    """Prevent Django from caching the response to a request; return whether it was about to.

    `cache_page` decides by the request, before any middleware sees the response.
    """
    if not getattr(request, UPDATES_CACHE, False):
        return False
    setattr(request, UPDATES_CACHE, False)
    if not conf.caches_all_pages:
        _log_withheld(view_name_of(request))
    return True


def release(request: HttpRequest) -> None:
    """Let the cache middleware store the response after all."""
    setattr(request, UPDATES_CACHE, True)


@lru_cache(maxsize=1024)
def _log_withheld(view: str) -> None:
    """Log, once for each view, that its page is not cached."""
    logger.warning(
        "%s is decorated with cache_page, but its page depends on the session, by {%% idlewatch %%} or "
        "request.idlewatch: it is not cached. Cache what it shows instead, by {%% cache %%} or in the view.",
        view,
    )
