"""`request.idlewatch`: what a view and a template may know of the session's watch."""

from __future__ import annotations

from contextvars import ContextVar

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.functional import Promise

from idlewatch.conf import conf
from idlewatch.core.activity import Reason
from idlewatch.core.policy import Phase, Verdict, ended
from idlewatch.core.protocol import StateFrame, no_session_frame, state_frame
from idlewatch.http.classification import is_seen
from idlewatch.http.credential_change import Offer
from idlewatch.http.i18n import NOTICES
from idlewatch.http.responses import read_reason
from idlewatch.store.base import Watched

current_watch: ContextVar[RequestWatch | None] = ContextVar("idlewatch_current_watch", default=None)
"""That of the request that is being answered."""


def watch_of(request: HttpRequest) -> RequestWatch:
    """Return what the middleware put on a request.

    Raises:
        ImproperlyConfigured: the middleware has not seen it.
    """
    watch = getattr(request, "idlewatch", None)
    if not isinstance(watch, RequestWatch):
        raise ImproperlyConfigured(
            f"The request to {request.path} has no watch; expected 'idlewatch.middleware.IdleWatchMiddleware' "
            "in MIDDLEWARE, after Django's AuthenticationMiddleware."
        )
    return watch


class RequestWatch:
    """The watch of one request. Without a session, every field is None."""

    def __init__(self, request: HttpRequest, now: float) -> None:
        self._request = request
        self.arrived = now
        """Epoch seconds."""
        self.watched: Watched | None = None
        """What the store knew when the request was judged."""
        self.verdict: Verdict | None = None
        self.counted = False
        """The request is activity of its user."""
        self.carries_client = False
        """The answer carries the client."""
        self.signed_in = False
        """The user signed in during this request."""
        self.displaces = False
        """That sign-in came over a session that was, or may have been, another user's."""
        self.signed_out = False
        """The user signed out during this request, and needs not be told."""
        self.is_answered = False
        """What goes out is the ended response already, or what a view says to whoever signs in."""
        self.auth_digest = ""
        """That of the session as it came."""
        self.notice_shown = False
        self.offer: Offer | None = None
        """To end the user's other sessions, where no page has shown it yet."""
        self.offer_shown = False

    def follow(self, watched: Watched, now: float) -> None:
        """Take over what the store knows of the watch."""
        self.watched = watched
        self.verdict = watched.verdict(now)

    def lose(self, reason: Reason, now: float) -> None:
        """Note an end of which the store knows nothing."""
        self.watched = None
        self.verdict = ended(reason, now)

    def forget(self) -> None:
        """Note that nobody is signed in, and that there is nothing to tell."""
        self.watched = self.verdict = None
        self.signed_in = False

    @property
    def watch_id(self) -> str | None:
        """The id of the live watch; None for anonymous users and after an end."""
        return None if self.watched is None or self.ended else self.watched.id

    @property
    def ended(self) -> bool:
        """Whether the session with which the request came has ended."""
        return self.phase is Phase.ENDED

    @property
    def phase(self) -> Phase | None:
        """Where the session stands."""
        return None if self.verdict is None else self.verdict.phase

    @property
    def reason(self) -> Reason | None:
        """Why it ended, or, while warned, why it is about to."""
        return None if self.verdict is None else self.verdict.reason

    @property
    def remaining(self) -> float | None:
        """Seconds until the end, if nothing happens."""
        return None if self.verdict is None else self.verdict.remaining

    @property
    def notice(self) -> str | Promise | None:
        """The sentence to show once after an end; the page that reads it, however often, shows it.

        None for a script: what it fetches, the login page that its poll is led to, say, may never be seen.
        """
        reason = self.untold
        if reason is None or not is_seen(self._request):
            return None
        self.notice_shown = True
        return NOTICES[reason]

    @property
    def untold(self) -> Reason | None:
        """The reason of an end that the user has not been told of, from this request or an earlier one."""
        if self.ended:
            return self.reason
        return read_reason(self._request) if self.verdict is None else None

    @property
    def frame(self) -> StateFrame:
        """The frame that tells the request's page how its session stands."""
        if self.watched is None or self.verdict is None:
            return no_session_frame(self.untold, conf.login_url)
        return state_frame(self.verdict, self.watched.policy, self.watched.version, conf.login_url)

    def carry(self) -> None:
        """Note that the answer carries the client: the tag calls this."""
        self.carries_client = True
