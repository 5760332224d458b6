"""Judgments on what a site answers to the cookie of a session that has ended."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from django.contrib.auth import REDIRECT_FIELD_NAME

from idlewatch.conf import conf
from idlewatch.core.activity import Reason
from idlewatch.doctor.address import Address
from idlewatch.doctor.clients.browsing import Visit, cookies_set_by, is_deletion, is_html, redirect_of
from idlewatch.doctor.clients.http_client import Answer
from idlewatch.doctor.findings import Finding, Trial, fault, ok, warning
from idlewatch.doctor.pages.html import parse_page
from idlewatch.doctor.pages.loaded_page import page_of
from idlewatch.doctor.phrases import duration
from idlewatch.http.responses import reason_cookie

NAVIGATION_TRIED = "Page that needs a login, after the end"
POST_TRIED = "Form sent after the end"
FETCH_TRIED = "Request of a script, after the end"
REDIRECT = f"302 to the login page with {REDIRECT_FIELD_NAME!r}"
REASON = Reason.LOGOUT
"""The reason with which probes end."""
FETCH_EXPECTED = f"401, the ended frame as JSON, and Idlewatch-Ended: {REASON}"
NOTICE_TRIED, NOTICE_EXPECTED = "Login page after the end", "a page that shows the reason"
DELETION_TRIED = "Cookie of an ended session"
STATE_TRIED, STATE_EXPECTED = "State with the old cookie", "401, ended"
STILL_SERVED = "The page of an ended session is still served: a cache keeps it, or the page is not Django's."


def judge_redirect(trial: Trial, tried: str, answer: Answer, back_to: str) -> Finding:
    """Judge the answer to a navigation, which is to lead to the login page and back to the path `back_to`."""
    if parse_page(answer.text).clients:
        return fault(trial, tried, f"{answer.summary}, with the client", REDIRECT, STILL_SERVED)
    target = redirect_of(answer)
    if target is not None and _leads_back(target, back_to):
        return ok(trial, tried, f"{answer.summary}, with {REDIRECT_FIELD_NAME!r}", REDIRECT)
    if conf.ended_response is not None:
        return ok(trial, tried, f"{answer.summary}, by ENDED_RESPONSE", REDIRECT)
    if target is not None:
        hint = (
            f"Something else redirects before idlewatch does, and users don't come back to their page: {_who(answer)}"
        )
        return fault(trial, tried, f"{answer.summary}, without {REDIRECT_FIELD_NAME!r}", REDIRECT, hint)
    return fault(trial, tried, answer.summary, REDIRECT, f"Something answers instead of idlewatch: {_who(answer)}")


def _leads_back(url: str, path: str) -> bool:
    values = parse_qs(urlsplit(url).query).get(REDIRECT_FIELD_NAME, ())
    try:
        return any(urlsplit(value).path == path for value in values)
    except ValueError:
        return False


def _who(answer: Answer) -> str:
    if answer.status == 403:
        return "a middleware that checks CSRF or permissions before IdleWatchMiddleware, or a firewall."
    return "a middleware before IdleWatchMiddleware, or an error page of the proxy."


def judge_fetch(answer: Answer) -> Finding:
    """Judge the answer to a script's request."""
    trial, tried = Trial.ENDED_FETCH, FETCH_TRIED
    expected = FETCH_EXPECTED
    frame, told = answer.json_object or {}, answer.headers.get("Idlewatch-Ended")
    came = f"{answer.summary}, {'no ' if frame.get('phase') != 'ended' else ''}frame, Idlewatch-Ended: {told or 'none'}"
    if answer.status == 401 and frame.get("phase") == "ended" and frame.get("reason") == told == REASON:
        return ok(trial, tried, came, expected)
    if conf.ended_response is not None and told is None:
        return ok(trial, tried, f"{answer.summary}, by ENDED_RESPONSE", expected)
    if answer.status == 401 and told is not None and frame.get("phase") != "ended":
        hint = "The proxy replaces the body of errors (proxy_intercept_errors in nginx): leave 401 as it is."
    elif answer.status == 401 and frame.get("phase") == "ended" and told is None:
        hint = "The proxy drops the header Idlewatch-Ended, by which scripts learn of the end."
    elif answer.status == 401:
        hint = "The session is known, but with another reason: another app or command ended it at the same time."
    else:
        hint = f"Scripts of pages don't learn of the end. Something answers instead of idlewatch: {_who(answer)}"
    return fault(trial, tried, came, expected, hint)


def judge_notice(navigation: Answer, login: Visit) -> Finding:
    """Judge whether the login page shows the reason, which the answer to the navigation has left in a cookie."""
    trial, tried, expected = Trial.NOTICE, NOTICE_TRIED, NOTICE_EXPECTED
    if not login.is_page:
        hint = "Users of an ended session can't sign in: LOGIN_URL has to lead to a page that anyone may load."
        return fault(trial, tried, login.summary, expected, hint)
    dropped = cookies_set_by(login.last).get(reason_cookie())
    if page_of(login).has_notice or (dropped is not None and is_deletion(dropped)):
        return ok(trial, tried, f"{login.summary}, with the reason", expected)
    if reason_cookie() not in cookies_set_by(navigation):
        hint = (
            f"The redirect did not set the cookie {reason_cookie()!r}, which takes the reason there: the proxy drops "
            "it."
        )
        return fault(trial, tried, f"{login.summary}, without the reason", expected, hint)
    hint = "Users aren't told why they have to sign in: put {% idlewatch %} into the login page's template."
    return warning(trial, tried, f"{login.summary}, without the reason", expected, hint)


def judge_deletion(answer: Answer, address: Address, old: str) -> Finding:
    """Judge whether the browser loses the cookie of the ended session, whose value is `old`.

    A middleware that notes something of each visitor begins a session for the next one at once.
    """
    trial, tried = Trial.DELETED_COOKIE, DELETION_TRIED
    options = conf.cookie_options
    expected = f"deleted, for the path {options['path']}" + (f" of {options['domain']}" if options["domain"] else "")
    morsel = cookies_set_by(answer).get(conf.session_cookie_name)
    is_replaced = morsel is not None and not is_deletion(morsel) and morsel.value != old
    if morsel is None or not (is_replaced or is_deletion(morsel)):
        hint = (
            "The browser keeps it: the proxy drops Set-Cookie from redirects, or another middleware sets the cookie "
            "again."
        )
        return fault(trial, tried, "kept" if morsel is None else "set again", expected, hint)
    path, domain = morsel["path"] or "/", morsel["domain"].lstrip(".").lower()
    host = address.host.strip("[]").lower()
    came = f"{'replaced by a new one' if is_replaced else 'deleted'}, for the path {path}"
    came += f" of {domain}" if domain else ""
    if domain and host != domain and not host.endswith(f".{domain}"):
        hint = (
            f"Browsers take no cookie for {domain} from {host}: set SESSION_COOKIE_DOMAIN to a domain of the site, or "
            "None."
        )
        return fault(trial, tried, came, expected, hint)
    if not f"{address.prefix}/".startswith(path if path.endswith("/") else f"{path}/"):
        hint = (
            "Browsers don't have the cookie for the whole site: look at SESSION_COOKIE_PATH, and at what the proxy "
            "rewrites."
        )
        return fault(trial, tried, came, expected, hint)
    return ok(trial, tried, came, expected)


def judge_state(answer: Answer, seconds: float) -> Finding:
    """Judge what the address of the state answers to the old cookie, `seconds` after the end."""
    trial, tried, expected = Trial.OLD_COOKIE, STATE_TRIED, STATE_EXPECTED
    frame = answer.json_object or {}
    came = f"{answer.summary}, {frame.get('phase', 'no frame')} after {duration(seconds)}"
    if answer.status == 401 and frame.get("phase") == "ended":
        return ok(trial, tried, came, expected)
    if answer.status == 200 and frame.get("phase") in {"active", "warned"}:
        hint = (
            "An end that was recorded in the database is not seen by the site: its timer does not run, its store is "
            "another one than this process's, or a router reads from a replica that lags."
        )
    else:
        hint = "Something answers instead of idlewatch: a middleware, or an error page of the proxy."
    return fault(trial, tried, came, expected, hint)


def judge_old_page(answer: Answer) -> Finding:
    """Judge whether the page still comes with the old cookie."""
    trial, tried, expected = Trial.OLD_COOKIE, "Page with the old cookie", "the way to sign in, or a visitor's page"
    if is_html(answer) and parse_page(answer.text).clients:
        return fault(trial, tried, f"{answer.summary}, with the client", expected, STILL_SERVED)
    if answer.status >= 500:
        hint = "The page fails for users whose session has ended: the log of the site has the error."
        return fault(trial, tried, answer.summary, expected, hint)
    return ok(trial, tried, answer.summary, expected)


def judge_socket(frames: list[str], code: int | None) -> Finding:
    """Judge the socket with the old cookie, by the phases of its frames and the code with which it was closed."""
    trial, tried, expected = (
        Trial.OLD_COOKIE,
        "Socket with the old cookie",
        "a frame with the phase ended, closed with 4401",
    )
    came = f"{', '.join(frames) or 'no frame'}, {'not closed' if code is None else f'closed with {code}'}"
    if frames == ["ended"] and code == 4401:
        return ok(trial, tried, came, expected)
    hint = "The socket is served by another process or version than pages are, or the proxy replaces close codes."
    return fault(trial, tried, came, expected, hint)
