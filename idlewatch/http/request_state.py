"""`request.idlewatch`: what views, templates and receivers find on a request."""

from __future__ import annotations

from contextvars import ContextVar

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import Promise
from msgspec import Struct, field

from idlewatch.core.activity import Reason
from idlewatch.core.policy import Phase
from idlewatch.core.protocol import StateFrame, no_session_frame, state_frame
from idlewatch.http.admission import Admission
from idlewatch.http.classification import is_navigation, is_seen
from idlewatch.http.django_cache import withhold
from idlewatch.http.i18n import NOTICES
from idlewatch.http.key_rotation import OriginalSession
from idlewatch.http.responses import read_reason
from idlewatch.http.session_change import SessionChange
from idlewatch.http.session_state import NO_SESSION, SessionState
from idlewatch.http.site_urls import login_url_of
from idlewatch.monitor.django_sessions import auth_digest
from idlewatch.process import Process, current_process


class PageParts(Struct, gc=False):
    """The parts of idlewatch that the page shows, and what follows for caches."""

    client: bool = False
    notice: bool = False
    offer: bool = False
    varies: bool = False
    """What it shows depends on the session."""
    withheld: bool = False
    """Django was about to cache it."""


class RequestState(Struct, eq=False):
    """What was judged of a request, what its view does to the session, and what its page shows.

    Projects may use `phase`, `reason`, `remaining`, `notice` and `watch_id`. All are None without a session.
    """

    _request: HttpRequest
    process: Process
    """The process in which the request is answered."""
    navigates: bool
    """The request is a navigation: see `is_navigation`."""
    admission: Admission
    change: SessionChange = field(default_factory=SessionChange)
    original: OriginalSession | None = None
    """The session as it came, while the view has not returned; None where there is no live one to keep."""
    is_abandoned: bool = False
    """The client has gone: no browser hears of what a view that still runs does to the session."""
    page: PageParts = field(default_factory=PageParts)
    ended_response: HttpResponseBase | None = None
    """The response that reports the end, once it has been made."""

    def __repr__(self) -> str:
        return f"<RequestState of {self.admission}>"

    @property
    def phase(self) -> Phase | None:
        """The phase of the session."""
        self.vary_on_session()
        return self.session.phase

    @property
    def reason(self) -> Reason | None:
        """Why it ended, or, while warned, why it is about to."""
        self.vary_on_session()
        return self.session.reason

    @property
    def remaining(self) -> float | None:
        """Seconds until the end, if nothing happens."""
        self.vary_on_session()
        verdict = self.session.verdict
        return None if verdict is None else verdict.remaining

    @property
    def notice(self) -> str | Promise | None:
        """The sentence to show once after an end. Reading it, however often, counts as showing it.

        None for background requests: users may never see their responses, such as a sign-in page to which a poll was
        redirected.
        """
        self.vary_on_session()
        reason = self.unshown_reason
        if reason is None or not is_seen(self._request):
            return None
        self.page.notice = True
        return NOTICES[reason]

    def vary_on_session(self) -> None:
        """Record that the response depends on whether there is a session, and which: no cache may store it for all."""
        self.page.varies = True
        self.page.withheld |= withhold(self._request)

    @property
    def watch_id(self) -> str | None:
        """The id of the live session: random, safe to show and to log. None for anonymous users and after an end."""
        self.vary_on_session()
        return self.session.watch_id

    @property
    def session(self) -> SessionState:
        """The session after what the view has done so far; `NO_SESSION` while a change of its user is deferred."""
        change = self.change
        if change.is_deferred:
            return NO_SESSION
        return self.admission.state if change.state is None else change.state

    @property
    def present(self) -> SessionState:
        """The session after what the view has done so far, without regard to a deferred change of its user."""
        return self.admission.state if self.change.state is None else self.change.state

    @property
    def auth_digest(self) -> str:
        """Digest of the auth hash that the record has."""
        changed = self.change.auth_digest
        return auth_digest(self.admission.auth_hash) if changed is None else changed

    @property
    def unshown_reason(self) -> Reason | None:
        """The reason of an end, in this request or an earlier one, that no page has shown yet."""
        session = self.session
        if session.is_ended:
            return session.reason
        return read_reason(self._request, None if session.watched is None else session.watched.user)

    @property
    def frame(self) -> StateFrame:
        """The state frame for the page."""
        session, login_url = self.session, login_url_of(self._request)
        watched, verdict = session.watched, session.verdict
        if watched is None or verdict is None:
            return no_session_frame(self.unshown_reason, login_url)
        return state_frame(verdict, watched.policy, watched.version, login_url)


current_state: ContextVar[RequestState | None] = ContextVar("idlewatch_current_state", default=None)
"""The state of the request that is being answered."""


def attach_state(request: HttpRequest, arrived: float | None = None) -> RequestState:
    """Set `request.idlewatch` and return it; the request arrived at `arrived` (epoch seconds), or just now."""
    process = current_process()
    admission = Admission(process.clock.now() if arrived is None else arrived)
    state = RequestState(request, process, is_navigation(request), admission)
    setattr(request, "idlewatch", state)  # noqa: B010 - the type has no such attribute
    return state


def find_state(request: HttpRequest | None) -> RequestState | None:
    """Return `request.idlewatch`; None if the middleware has not seen the request."""
    state = getattr(request, "idlewatch", None)
    return state if isinstance(state, RequestState) else None


def state_of(request: HttpRequest) -> RequestState:
    """Return `request.idlewatch`.

    Raises:
        ImproperlyConfigured: the middleware has not seen the request.
    """
    state = find_state(request)
    if state is None:
        raise ImproperlyConfigured(
            f"The request to {request.path} has no session state; expected 'idlewatch.middleware.IdleWatchMiddleware' "
            "in MIDDLEWARE, after Django's AuthenticationMiddleware."
        )
    return state
