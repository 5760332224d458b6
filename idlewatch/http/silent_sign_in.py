"""Silent sign-ins: a site asks the OpenID provider, by `prompt=none`, whether a user who is signed in may stay so.

The provider then asks the user for nothing (OpenID Connect Core 3.1.2.1), so that nothing is proved by it. The
middleware `SessionRefresh` of mozilla-django-oidc does it every quarter of an hour.
"""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from idlewatch.http.request_session import session_of

STATES_KEY = "_idlewatch_silent"
"""Key in the session's data of the `state` of each silent sign-in that was begun."""
MAX_STATES = 10
"""Several tabs may begin one each."""


def note_silent_sign_in(request: HttpRequest, response: HttpResponseBase) -> None:
    """Note in the session that the response begins a silent sign-in."""
    if response.status_code < 300:
        return
    # To a script mozilla-django-oidc names the URL in a header of that name.
    url = response.headers.get("Location") or response.headers.get("refresh_url") or ""
    if "prompt=none" not in url:
        return
    try:
        query = parse_qs(urlsplit(url).query)
    except ValueError:
        # The view's redirect is no URL.
        return
    if query.get("prompt") == ["none"] and (states := query.get("state")):
        session = session_of(request)
        session[STATES_KEY] = [*session.get(STATES_KEY, ()), states[0]][-MAX_STATES:]


def is_silent_sign_in(request: HttpRequest) -> bool:
    """Return whether a request is the provider's answer to a silent sign-in of its session."""
    states: list[str] = session_of(request).get(STATES_KEY, [])
    return bool(states) and (request.GET.get("state") or request.POST.get("state")) in states
