"""Which session a page was made in: a token in its addresses tells.

A page outlives its session: while it was cut off, somebody may have signed in anew in the same browser. Its own user
gets it back as it was; nobody else may see it.
"""

from __future__ import annotations

import hmac
from enum import StrEnum

from django.core.exceptions import TooManyFieldsSent
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from idlewatch.conf import conf
from idlewatch.core.activity import Reason
from idlewatch.core.protocol import StateFrame, no_session_frame
from idlewatch.http.request_state import state_of
from idlewatch.store.values import Watched

PARAMETER = "for"
"""Of the addresses at which a page talks to the server: the token."""


class PageOwner(StrEnum):
    """What a page is to the session that the browser has now."""

    CURRENT = "current"
    """It was made in it."""
    RENEWED = "renewed"
    """It was made before its user's newest sign-in: the CSRF tokens in its forms are old."""
    FOREIGN = "foreign"
    """It was made for another user."""


def token_of(watched: Watched) -> str:
    """Return the token for pages of a session: one half for its user, one for its sign-in; it says neither."""
    return f"{_half(watched.user, conf.secrets[0])}-{_half(_sign_in(watched), conf.secrets[0])}"


def page_owner(token: str | None, watched: Watched) -> PageOwner:
    """Tell what the page with this token is to a session; one without a token is believed to be the session's own."""
    if token is None:
        return PageOwner.CURRENT
    user, _, sign_in = token.partition("-")
    if not _fits(user, watched.user):
        return PageOwner.FOREIGN
    return PageOwner.CURRENT if _fits(sign_in, _sign_in(watched)) else PageOwner.RENEWED


def page_owner_of(request: HttpRequest) -> PageOwner | None:
    """Tell what the page that sent a request is to its session; None where there is none."""
    session = state_of(request).session
    return None if session.watched is None or session.is_ended else page_owner(token_in(request), session.watched)


def foreign_frame() -> StateFrame:
    """Say to a page of somebody else that its session is over, whoever has one now."""
    return no_session_frame(Reason.LOGOUT, conf.login_url, PageOwner.FOREIGN)


def token_in(request: HttpRequest) -> str | None:
    """Return the token that a page's request bears; one that can't be read fits nobody."""
    try:
        return request.GET.get(PARAMETER)
    except TooManyFieldsSent:
        return ""


def _sign_in(watched: Watched) -> str:
    # Signing in again as the same user keeps the watch and starts its clocks anew. What a record keeps of a moment may
    # be rounded.
    return f"{watched.id} {watched.activity.logged_in_at:.3f}"


def _fits(half: str, value: str) -> bool:
    return any(hmac.compare_digest(half.encode(), _half(value, secret).encode()) for secret in conf.secrets)


def _half(value: str, secret: str | bytes) -> str:
    return salted_hmac("idlewatch.page", value, secret=secret, algorithm="sha256").hexdigest()[:20]
