"""Judgments on a page that was loaded: whether it came at all, and has the client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from django.conf import settings
from django.utils.translation import get_language, get_language_from_path, override

from idlewatch.conf import conf
from idlewatch.doctor.clients.browsing import Stop, Visit
from idlewatch.doctor.findings import Finding, Trial, fault, ok, warning
from idlewatch.doctor.pages.html import Page, parse_page
from idlewatch.http.login_views import leads_to_login

VISITOR, USER = "Page of a visitor", "Page with the probe's cookie"
PAGE_EXPECTED = "200 with HTML"
VISITOR_EXPECTED = f"{PAGE_EXPECTED} and without the client, or the way to sign in"
CLIENT = "Client in the page"
CLIENT_EXPECTED = "one template, with its configuration, its script and its stylesheet"
PATH_HINT = "Give --path a page of the site that this account may see."
NO_URL = "about:invalid"
LOG_HINT = "The log of the site has the error."


def is_login(path: str) -> bool:
    """Return whether a path, below the script name of this process, is that of a page where users sign in."""
    with override(get_language_from_path(path) or get_language()):
        login = urlsplit(conf.login_url)
    return (not login.netloc and path == login.path) or leads_to_login(path)


def page_of(visit: Visit) -> Page:
    """Return what of a loaded page concerns the client."""
    return parse_page(visit.last.text) if visit.is_page else Page()


def judge_visitor(visit: Visit) -> Finding:
    """Judge what a visitor gets."""
    tried = f"Page {visit.asked} of a visitor"
    expected = VISITOR_EXPECTED
    if page_of(visit).clients:
        hint = (
            "A visitor gets a page with the client: a cache keeps the pages of users, and shows them to others. Have "
            "it keep nothing with 'Cache-Control: no-store' or 'private', and no page for requests with a session "
            "cookie."
        )
        return fault(Trial.VISITOR_PAGE, tried, f"{visit.summary}, with the client", expected, hint)
    if visit.stop is Stop.ELSEWHERE or visit.is_page:
        return ok(Trial.VISITOR_PAGE, tried, visit.summary, expected)
    status = visit.last.status
    if visit.stop is not None or status >= 500 or is_login(visit.site_path):
        hint = LOG_HINT if status >= 500 else "Visitors can't get to the login page: look at LOGIN_URL and its view."
        return fault(Trial.VISITOR_PAGE, tried, visit.summary, expected, hint)
    return warning(Trial.VISITOR_PAGE, tried, visit.summary, expected, PATH_HINT)


def judge_page(visit: Visit) -> Finding:
    """Judge whether the page came with the probe's cookie, whose session the site accepts."""
    tried, expected = f"Page {visit.asked} with the probe's cookie", PAGE_EXPECTED
    if visit.is_page and not is_login(visit.site_path):
        return ok(Trial.PAGE, tried, visit.summary, expected)
    return fault(Trial.PAGE, tried, visit.summary, expected, _why_no_page(visit))


def _why_no_page(visit: Visit) -> str:
    status = visit.last.status
    if is_login(visit.site_path) or (status in {401, 403}):
        others = ", ".join(_other_middleware())
        suspects = f" MIDDLEWARE has {others}." if others else ""
        return (
            "idlewatch accepts the session, but a view or a middleware does not: it may ask for a second factor or a "
            f"permission, or bind sessions to an address or a browser.{suspects} {PATH_HINT}"
        )
    if visit.stop is Stop.ELSEWHERE:
        return "The page leads to another origin: give that as --url, or another --path."
    if visit.stop is not None:
        return "The page redirects without end: a view or a middleware sends its users away, and back."
    if status >= 500:
        return LOG_HINT
    return PATH_HINT


def _other_middleware() -> Iterator[str]:
    for path in map(str, settings.MIDDLEWARE):
        if not path.startswith(("django.", "idlewatch.")):
            yield path.rpartition(".")[2]


def judge_client(page: Page) -> Finding:
    """Judge whether a page has the client once, with all its parts."""
    tried, expected = CLIENT, CLIENT_EXPECTED
    count = len(page.clients)
    if count == 0:
        hint = (
            "The client is missing: put {% idlewatch %} once into the <body> of the base template. If it is "
            "there, something removes it: {% compress %} around it, or a middleware or proxy that rewrites pages."
        )
        return fault(Trial.CLIENT, tried, "none", expected, hint)
    if count > 1:
        hint = "{% idlewatch %} stands in several templates of the page: keep it in the base template alone."
        return fault(Trial.CLIENT, tried, f"{count} templates", expected, hint)
    client = page.clients[0]
    if client.is_inert:
        hint = "The tag lies inside an element such as <template> or <noscript>: move it to the end of <body>."
        return fault(Trial.CLIENT, tried, "a template that is no part of the document", expected, hint)
    if client.config is None:
        hint = (
            "A template of the project that replaces idlewatch/client.html, or something that rewrites pages, broke it."
        )
        return fault(Trial.CLIENT, tried, "a template without a configuration that can be read", expected, hint)
    return _judge_files(page, tried, expected)


def _judge_files(page: Page, tried: str, expected: str) -> Finding:
    has_styles = bool(page.clients[0].stylesheets)
    if not page.scripts:
        came = "a template without a script" + ("" if has_styles else " and without a stylesheet")
        return ok(Trial.CLIENT, tried, f"{came}: the page's own bundle is to start the client", expected)
    if not any(script.attributes.get("type", "").lower() == "module" for script in page.scripts):
        kind = page.scripts[0].attributes.get("type", "")
        hint = "Browsers don't run it as a module: something rewrites script tags, such as a CDN's optimizer."
        return fault(Trial.CLIENT, tried, f"the script has the type {kind[:40]!r}", expected, hint)
    if not has_styles:
        hint = "A template of the project replaces idlewatch/client.html: its styles have to lie in the template, too."
        return warning(Trial.CLIENT, tried, "a template without a stylesheet", expected, hint)
    return ok(Trial.CLIENT, tried, "one template, with its script and its stylesheet", expected)


def config_of(page: Page) -> Mapping[str, Any]:
    """Return the configuration of the page's client; empty without one."""
    return (page.clients[0].config if page.clients else None) or {}


def url_in(page: Page, page_url: str, url: str) -> str:
    """Return the absolute URL of one that stands in a page; `NO_URL` if it is none."""
    try:
        joined = urljoin(urljoin(page_url, page.base or ""), url)
        is_url = urlsplit(joined).port != 0
    except ValueError:
        is_url = False
    return joined if is_url else NO_URL
