"""What Django's cache middleware and `cache_page` keep."""

from __future__ import annotations

import logging
from functools import lru_cache

from django.http import HttpRequest

from idlewatch.conf import conf

logger = logging.getLogger("idlewatch")

UPDATES_CACHE = "_cache_update_cache"
"""Django's own attribute of a request: whether the response is to be kept."""


def withhold(request: HttpRequest) -> bool:
    """Have the response to a request not kept; return whether it was about to be.

    `cache_page` decides by the request, before any middleware sees the response.
    """
    if not getattr(request, UPDATES_CACHE, False):
        return False
    setattr(request, UPDATES_CACHE, False)
    if not conf.caches_all_pages:
        match = request.resolver_match
        _log_withheld(request.path if match is None else match.view_name)
    return True


def release(request: HttpRequest) -> None:
    """Let the cache middleware keep the response after all."""
    setattr(request, UPDATES_CACHE, True)


@lru_cache(maxsize=1024)
def _log_withheld(view: str) -> None:
    """Log it once for each view."""
    logger.warning(
        "%s is decorated with cache_page, but its page depends on the session, by {%% idlewatch %%} or "
        "request.idlewatch: it is not cached. Cache what it shows instead, by {%% cache %%} or in the view.",
        view,
    )
