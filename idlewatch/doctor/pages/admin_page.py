"""Judgment on pages of the admin: whether they have the client, whatever theme renders them."""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps
from django.conf import settings
from django.urls import NoReverseMatch, reverse

from idlewatch.doctor.clients.browsing import Stop, Visit
from idlewatch.doctor.findings import Finding, Trial, fault, ok, skipped
from idlewatch.doctor.pages.loaded_page import is_login, page_of

EXPECTED = "a page with the client, or with nothing for this account to see"
MAX_SITES = 3
MIDDLEWARE = "idlewatch.middleware.IdleWatchMiddleware"


def admin_sites() -> Iterator[tuple[str, str]]:
    """Yield name and path of each admin site's start page, as this process names it."""
    if not apps.is_installed("django.contrib.admin"):
        return
    from django.contrib.admin.sites import all_sites  # noqa: PLC0415 - an app that may not be installed

    for site in sorted(all_sites, key=lambda site: site.name)[:MAX_SITES]:
        try:
            yield site.name, reverse(f"{site.name}:index")
        except NoReverseMatch:
            continue


def judge_admin(name: str, visit: Visit) -> Finding:
    """Judge what came of the start page of an admin site.

    An account that may not see it gets the site's login page, which is rendered by the same theme, and has the client
    since there is a session.
    """
    tried = f"Page of the admin site {name!r}"
    clients = len(page_of(visit).clients)
    if visit.is_page and clients == 1:
        return ok(Trial.ADMIN_PAGE, tried, f"{visit.summary}, with the client", EXPECTED)
    if visit.is_page and clients:
        hint = (
            "The client stands there twice: in a template of the theme or of the project, and in one that it extends."
        )
        return fault(Trial.ADMIN_PAGE, tried, f"{visit.summary}, with {clients} clients", EXPECTED, hint)
    if visit.is_page and _is_of_admin(visit):
        return fault(Trial.ADMIN_PAGE, tried, f"{visit.summary}, without the client", EXPECTED, _why_none(visit))
    if visit.stop not in {None, Stop.ELSEWHERE} or visit.last.status >= 500:
        hint = "Users without access to the admin are redirected in a loop, or get an error: see the site's log."
        return fault(Trial.ADMIN_PAGE, tried, visit.summary, EXPECTED, hint)
    return skipped(Trial.ADMIN_PAGE, tried, f"{visit.summary}: this account sees no page of it", EXPECTED)


def _is_of_admin(visit: Visit) -> bool:
    return not is_login(visit.site_path) or any(visit.site_path.startswith(path) for _, path in admin_sites())


def _why_none(visit: Visit) -> str:
    compressing = next(_compressing_within(), None)
    if compressing is not None and visit.last.headers.get("Content-Encoding"):
        return (
            f"{compressing} compresses the page before idlewatch sees it: put it before IdleWatchMiddleware in "
            "MIDDLEWARE."
        )
    return (
        "Something renders or rewrites the theme's page in its own way: put {% idlewatch %} into a template of "
        "the project that extends the theme's base template, and keep middleware that rewrites pages before "
        "idlewatch's."
    )


def _compressing_within() -> Iterator[str]:
    """Yield the names of middleware that compresses and stands after that of idlewatch."""
    paths = [str(path) for path in settings.MIDDLEWARE]
    after = paths[paths.index(MIDDLEWARE) :] if MIDDLEWARE in paths else []
    for path in after:
        if any(word in path.lower() for word in ("gzip", "compress", "brotli")):
            yield path.rpartition(".")[2]
