"""Tokens in a page's URLs that identify the session in which the page was rendered.

A page can outlive its session: while it was offline, another user may have signed in with the same browser. Only the
page's own user may see it again.
"""

from __future__ import annotations

import hmac
from enum import StrEnum

from django.core.exceptions import TooManyFieldsSent
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from msgspec import UNSET, UnsetType

from idlewatch.conf import conf
from idlewatch.core.activity import Reason
from idlewatch.core.protocol import StateFrame, no_session_frame
from idlewatch.http.request_state import state_of
from idlewatch.store.values import Watched

PARAMETER = "for"
"""Query parameter with the token, in the client's URLs."""


class PageOwner(StrEnum):
    """How a page relates to the browser's current session."""

    CURRENT = "current"
    """It was rendered in this session."""
    RENEWED = "renewed"
    """It was rendered before the user's latest sign-in: the CSRF tokens in its forms are outdated."""
    FOREIGN = "foreign"
    """It was rendered for another user."""


def token_of(watched: Watched) -> str:
    """Return the token for pages of a session: keyed digests of its user and of its sign-in."""
    return f"{_half(watched.user, conf.secrets[0])}-{_half(_sign_in(watched), conf.secrets[0])}"


def page_owner(token: str | None, watched: Watched) -> PageOwner:
    """Return how the page with this token relates to a session; a page without a token is taken for its own."""
    if token is None:
        return PageOwner.CURRENT
    user, _, sign_in = token.partition("-")
    if not _matches(user, watched.user):
        return PageOwner.FOREIGN
    return PageOwner.CURRENT if _matches(sign_in, _sign_in(watched)) else PageOwner.RENEWED


def page_owner_of(request: HttpRequest) -> PageOwner | None:
    """Return how the page that sent a request relates to its session; None if there is no session."""
    session = state_of(request).session
    return None if session.watched is None or session.is_ended else page_owner(token_in(request), session.watched)


def foreign_frame(login_url: str | UnsetType = UNSET) -> StateFrame:
    """Return the frame for a page of another user: its session has ended."""
    return no_session_frame(Reason.LOGOUT, login_url, PageOwner.FOREIGN)


def token_in(request: HttpRequest) -> str | None:
    """Return the token of a request; an empty one, which matches no session, if the query cannot be parsed."""
    try:
        return request.GET.get(PARAMETER)
    except TooManyFieldsSent:
        return ""


def _sign_in(watched: Watched) -> str:
    # Signing in again as the same user keeps the watch id and resets the clocks. Records may round times.
    return f"{watched.id} {watched.activity.logged_in_at:.3f}"


def _matches(half: str, value: str) -> bool:
    return any(hmac.compare_digest(half.encode(), _half(value, secret).encode()) for secret in conf.secrets)


def _half(value: str, secret: str | bytes) -> str:
    return salted_hmac("idlewatch.page", value, secret=secret, algorithm="sha256").hexdigest()[:20]
