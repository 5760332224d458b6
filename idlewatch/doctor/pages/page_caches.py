"""Judgments on caches: whether one keeps a page that belongs to a user, or may."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from idlewatch.doctor.clients.http_client import Answer
from idlewatch.doctor.findings import Finding, Trial, fault, ok, warning
from idlewatch.doctor.pages.html import Page
from idlewatch.doctor.pages.loaded_page import config_of
from idlewatch.http.caching import SHARED, SHARED_HEADERS
from idlewatch.http.page_tokens import PageOwner

CACHE_SIGNS = (
    "Age",
    "X-Cache",
    "X-Cache-Status",
    "X-Proxy-Cache",
    "CF-Cache-Status",
    "X-Varnish-Cache",
    "Server-Timing",
)
"""Headers by which caches tell of themselves."""
TWICE, OF_ITS_OWN = "Page loaded twice, then as a visitor", "each time one that was made for this session alone"
HEADERS, HEADERS_EXPECTED = "Cache-Control of the page", "no-store or private, and neither public nor s-maxage"
HINT = (
    "A cache between here and the site, or a cache of the site itself, keeps pages of users. Have it keep no page with "
    "'Cache-Control: no-store' or 'private', and none for requests with a session cookie (docs/caching.md)."
)
VISITORS_HINT = (
    "A cache keeps what visitors get, and serves it to users: they get pages without the client, or have to sign in "
    "again. Have it heed 'Vary: Cookie', or keep nothing for requests with a session cookie (docs/caching.md)."
)


class Kept(StrEnum):
    """What shows that a cache has kept a page of a user; the worst first."""

    SHOWN_TO_VISITOR = "a visitor gets a page with the client of a user"
    OF_ANOTHER_USER = "a page that was made for another user"
    OF_ANOTHER_SESSION = "a page that was made in another session of this account"
    VISITORS = "at first what a visitor gets, then the user's own page"
    TWICE = "the same page twice, with the same tokens"


def judge_kept(kept: Kept | None, answer: Answer) -> Finding:
    """Judge what shows that a cache has kept the page; `answer`: the page as it came first."""
    tried, expected = TWICE, OF_ITS_OWN
    signs = signs_of_cache(answer)
    if kept is Kept.VISITORS:
        tried = "Page, and the same under an address that no cache has seen"
        return fault(Trial.PAGE_CACHE, tried, f"{kept}{signs}", expected, VISITORS_HINT)
    if kept is not None:
        return fault(Trial.PAGE_CACHE, tried, f"{kept}{signs}", expected, HINT)
    return ok(Trial.PAGE_CACHE, tried, f"each time a page of its own{signs}", expected)


def find_kept(first: Page, second: Page, visitor: Page, owner: str | None) -> Kept | None:
    """Return what shows that a cache keeps pages of users; None if nothing does.

    `first`, `second`: the page, loaded twice by a user; `visitor`: then by a visitor; `owner`: what the site says of
    the first one's token, None if it could not be asked.
    """
    if visitor.clients:
        return Kept.SHOWN_TO_VISITOR
    if owner == PageOwner.FOREIGN:
        return Kept.OF_ANOTHER_USER
    if owner == PageOwner.RENEWED:
        return Kept.OF_ANOTHER_SESSION
    # Each page masks the CSRF token in another way.
    csrf = config_of(first).get("csrf")
    return Kept.TWICE if csrf and csrf == config_of(second).get("csrf") else None


def signs_of_cache(answer: Answer) -> str:
    """Return the headers by which a cache tells of itself, as the end of a phrase."""
    found = [f"{name}: {answer.headers[name][:40]}" for name in CACHE_SIGNS[:-1] if answer.headers.get(name)]
    return f" ({', '.join(found)})" if found else ""


def judge_headers(answer: Answer) -> Finding:
    """Judge whether a page with the client says that it is one user's."""
    tried, expected = HEADERS, HEADERS_EXPECTED
    value = ", ".join(answer.headers.get_all("Cache-Control", []))
    names = {directive.strip().lower().partition("=")[0] for directive in value.split(",")}
    came = value or "none"
    shared = [name for name in answer.headers if SHARED_HEADERS.fullmatch(name)]
    if not names & {"no-store", "private"} or names & SHARED:
        hint = "Something after idlewatch replaces the header: a middleware before it in MIDDLEWARE, or the proxy."
        return fault(Trial.CACHE_HEADERS, tried, came, expected, hint)
    if shared:
        hint = f"Shared caches obey {shared[0]} before Cache-Control: keep it off pages of users."
        return fault(Trial.CACHE_HEADERS, tried, f"{came}, and {shared[0]}", expected, hint)
    if _may_be_shown_later(names, value):
        hint = "The browser may show the page again after the session's end, without asking: use no-store."
        return warning(Trial.CACHE_HEADERS, tried, came, expected, hint)
    return ok(Trial.CACHE_HEADERS, tried, came, expected)


def _may_be_shown_later(names: set[str], value: str) -> bool:
    if names & {"no-store", "no-cache"} or "max-age" not in names:
        return False
    return "max-age=0" not in value.lower().replace(" ", "").split(",")


def judge_visitor_headers(visitor: Answer) -> Iterator[Finding]:
    """Judge whether a cache may keep a visitor's page for users, who get another one at the same address."""
    tried, expected = "Vary of a visitor's page", "Cookie, or a Cache-Control that keeps it out of shared caches"
    control = {each.strip().lower() for each in ", ".join(visitor.headers.get_all("Cache-Control", [])).split(",")}
    vary = ", ".join(visitor.headers.get_all("Vary", []))
    if control & {"no-store", "private", "no-cache"}:
        return
    if {"cookie", "*"} & {each.strip().lower() for each in vary.split(",")}:
        yield ok(Trial.CACHE_HEADERS, tried, vary, expected)
        return
    hint = (
        "A shared cache may show this page to users who are signed in, and it lacks the client. Something after "
        "idlewatch drops 'Vary: Cookie', or the visitor's page is made without {% idlewatch %}."
    )
    yield warning(Trial.CACHE_HEADERS, tried, vary or "none", expected, hint)
