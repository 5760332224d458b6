"""Warnings about pages of the project, each once for each view: one page may be requested thousands of times."""

from __future__ import annotations

import logging
from functools import lru_cache

from django.http import HttpRequest

logger = logging.getLogger("idlewatch")

MAX_REMEMBERED = 1024
"""Warnings that are not repeated; beyond that, the oldest may be."""


def warn(request: HttpRequest, message: str) -> None:
    """Log a warning about the view that answered a request, unless it was logged before.

    `message`: a format for `logging`; its one argument is the name of the view, or the path if there was none.
    """
    match = request.resolver_match
    _log(message, request.path if match is None else match.view_name)


@lru_cache(maxsize=MAX_REMEMBERED)
def _log(message: str, view: str) -> None:
    logger.warning(message, view)
