"""Judgments on the login view, loaded while signed in, and on the page that asks for a proof beside a sign-in."""

from __future__ import annotations

from collections.abc import Iterator

from django.urls import reverse

from idlewatch.doctor.clients.browsing import Stop, Visit
from idlewatch.doctor.findings import Finding, Trial, fault, ok, warning
from idlewatch.doctor.pages.loaded_page import LOG_HINT, is_login, page_of

SIGN_IN = "Login view while signed in, with 'next' to a page of idlewatch"
LOGIN = "Login view while signed in, without 'next'"
FORM_OR_NEXT = "the form, or a redirect to where 'next' leads"
FORM_OR_PAGE = "the form, or a redirect to a page"
PROVE = "Page to sign in again before the absolute timeout"
PROVE_EXPECTED = "a form, or the way to where REAUTHENTICATE leads"
LOOP_HINT = (
    "The login view redirects signed-in users, and the page to which it leads sends them back: users can't "
    "sign in again. Leave redirect_authenticated_user off, or let it redirect to a page that every user may see."
)


def judge_login_view(visit: Visit) -> Finding:
    """Judge what the link "Sign in again" opens where its user is signed in already, as in another tab."""
    expected = FORM_OR_NEXT
    if visit.stop is Stop.ELSEWHERE:
        return ok(Trial.LOGIN_VIEW, SIGN_IN, visit.summary, expected)
    if visit.stop is not None:
        return fault(Trial.LOGIN_VIEW, SIGN_IN, visit.summary, expected, LOOP_HINT)
    if not visit.is_page:
        return fault(Trial.LOGIN_VIEW, SIGN_IN, visit.summary, expected, _why_none(visit))
    if visit.site_path == reverse("idlewatch:signed-in"):
        came = f"{visit.summary}: the small window says so, and closes"
        return ok(Trial.LOGIN_VIEW, SIGN_IN, came, expected)
    if len(visit.answers) == 1 or is_login(visit.site_path) or page_of(visit).has_password:
        return ok(Trial.LOGIN_VIEW, SIGN_IN, visit.summary, expected)
    if page_of(visit).clients:
        hint = (
            "The login view takes signed-in users to a page of its own, whatever 'next' says: the small "
            "window of 'Sign in again' shows that, and stays open. Let the view follow 'next'."
        )
        return warning(Trial.LOGIN_VIEW, SIGN_IN, visit.summary, expected, hint)
    hint = (
        "The login view takes signed-in users to a page without the client, whatever 'next' says: the page "
        "that waits for the sign-in is not told of it. Let the view follow 'next'."
    )
    return fault(Trial.LOGIN_VIEW, SIGN_IN, visit.summary, expected, hint)


def _why_none(visit: Visit) -> str:
    if visit.last.status >= 500:
        return LOG_HINT
    return "LOGIN_URL has to lead to the page where users sign in, also where it is loaded in a new window."


def judge_default(visit: Visit) -> Iterator[Finding]:
    """Judge what the login view shows those who are signed in and come from nowhere; nothing if it is the form."""
    if visit.stop in {Stop.LOOP, Stop.TOO_MANY}:
        yield fault(Trial.LOGIN_VIEW, LOGIN, visit.summary, FORM_OR_PAGE, LOOP_HINT)
    elif visit.stop is None and len(visit.answers) > 1 and visit.last.status != 200:
        hint = "Users who open the login page while they are signed in get there: look at LOGIN_REDIRECT_URL."
        yield warning(Trial.LOGIN_VIEW, LOGIN, visit.summary, FORM_OR_PAGE, hint)


def judge_reauthentication(visit: Visit) -> Finding:
    """Judge what "Sign in again" opens in the alert before the absolute timeout."""
    expected = PROVE_EXPECTED
    if visit.stop is Stop.ELSEWHERE or visit.is_page:
        return ok(Trial.REAUTHENTICATION, PROVE, visit.summary, expected)
    if visit.stop is not None:
        hint = "The page of REAUTHENTICATE redirects in a loop: users can't sign in again before the absolute timeout."
    else:
        hint = f"Users can't sign in again before the absolute timeout. {LOG_HINT}"
    return fault(Trial.REAUTHENTICATION, PROVE, visit.summary, expected, hint)
