"""The responses after an end, and the cookie that takes the reason to the next page."""

from __future__ import annotations

from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _

from idlewatch.conf import conf
from idlewatch.core.activity import Reason
from idlewatch.core.protocol import StateFrame, aged, encode
from idlewatch.exceptions import Undecided
from idlewatch.http.classification import is_client_endpoint, is_navigation, page_path_of
from idlewatch.http.i18n import NOTICES
from idlewatch.http.login_views import login_url_after_end
from idlewatch.types import Ended

REASON_COOKIE_AGE = 300
"""Seconds."""
_SALT = "idlewatch.ended"


class StateResponse(HttpResponse):
    """A state frame for a page that asks over HTTP, as it was at `at` (epoch seconds)."""

    def __init__(self, frame: StateFrame, status: int, at: float) -> None:
        super().__init__(encode(frame), status=status, content_type="application/json")
        self._at = at

    def age(self, now: float) -> None:
        """Shorten the countdown by the time that the middleware took after the view."""
        if not (self.has_header("Content-Encoding") or self.has_header("Content-Length")):
            self.content = aged(self.content.decode(), now - self._at)


def ended_response(
    request: HttpRequest, reason: Reason, frame: StateFrame, refusal: HttpResponseBase | None = None
) -> HttpResponseBase:
    """Return the ended response: a redirect to the sign-in page for a navigation, else a 401 with the state frame.

    `refusal`: the response of the view that turned the user away; its own sign-in page is kept.
    """
    login_url = login_url_after_end(request, page_path_of(request), refusal)
    ended = Ended(reason, NOTICES[reason], login_url, frame)
    # The browser client needs the frame, whatever the project's response is.
    is_client = is_client_endpoint(request)
    make_response = None if is_client else conf.ended_response
    response = None if make_response is None else make_response(request, ended)
    if response is None:
        is_page = is_navigation(request) and not is_client
        response = HttpResponseRedirect(login_url) if is_page else _unauthorized(request, ended)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _unauthorized(request: HttpRequest, ended: Ended) -> HttpResponse:
    response = HttpResponse(encode(ended.frame), status=401, content_type="application/json")
    response.headers["Idlewatch-Ended"] = ended.reason.value
    if "HX-Request" in request.headers:
        response.headers["HX-Redirect"] = ended.login_url
    return response


def undecided_response(request: HttpRequest, error: Undecided) -> HttpResponseBase:
    """Return 503: the session's state cannot be determined right now. Browsers reload a page by themselves."""
    text = _("One moment, please.")
    if conf.debug:
        text += f"\n\n{error}"
    response = HttpResponse(text, status=503, content_type="text/plain; charset=utf-8")
    response.headers["Retry-After"] = str(error.retry_after)
    response.headers["Cache-Control"] = "no-store"
    if request.method == "GET" and is_navigation(request):
        response.headers["Refresh"] = str(error.retry_after)
    return response


def reason_cookie() -> str:
    """Return the name of the cookie with the reason: each site on a host has its own, as it has a session cookie."""
    return f"{conf.session_cookie_name}_ended"


def read_reason(request: HttpRequest, user: str | None = None) -> Reason | None:
    """Return the reason in the cookie of an earlier response; None if there is none, or it has expired.

    `user`: the primary key of the user who has signed in since, if any: only their own sessions' ends count then.
    """
    try:
        cookie = signing.loads(request.COOKIES.get(reason_cookie(), ""), salt=_SALT, max_age=REASON_COOKIE_AGE)
        reason, whose = cookie
        return Reason(reason) if user is None or constant_time_compare(whose, _digest(user)) else None
    except (signing.BadSignature, ValueError):
        return None


def leave_reason(request: HttpRequest, response: HttpResponseBase, reason: Reason, user: str | None) -> None:
    """Set the cookie with the reason, for the next page that shows it.

    `user`: the primary key of the user whose session ended; None if unknown.
    """
    response.set_cookie(
        reason_cookie(),
        signing.dumps((reason.value, "" if user is None else _digest(user)), salt=_SALT),
        max_age=REASON_COOKIE_AGE,
        secure=conf.cookies_secure or request.is_secure(),
        httponly=True,
        **conf.cookie_options,
    )


def drop_reason(response: HttpResponseBase) -> None:
    """Delete the cookie: the reason was shown, or no longer applies."""
    response.delete_cookie(reason_cookie(), **conf.cookie_options)


def _digest(user: str) -> str:
    return salted_hmac(_SALT, user, algorithm="sha256").hexdigest()[:20]
