"""The page with the client, as its user has it: the part of the page section that comes first."""

from __future__ import annotations

import secrets
from collections.abc import Generator
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from django.urls import reverse

from idlewatch.doctor.clients.browsing import Browsing, Visit
from idlewatch.doctor.clients.http_client import FETCH, Answer
from idlewatch.doctor.findings import Finding, Outcome, Trial, skipped
from idlewatch.doctor.pages.html import Page, parse_page
from idlewatch.doctor.pages.loaded_page import CLIENT, CLIENT_EXPECTED, config_of, judge_client, judge_page, page_of
from idlewatch.doctor.pages.page_addresses import judge_answers, judge_places, urls_in
from idlewatch.doctor.pages.page_caches import Kept, find_kept, judge_headers, judge_kept, judge_visitor_headers
from idlewatch.doctor.pages.page_policy import judge_policies
from idlewatch.doctor.site import Site
from idlewatch.http.page_tokens import PARAMETER


class Loaded(NamedTuple):
    """What later trials need to know of the page."""

    page: Page = Page()
    is_failing: bool = False
    """It ends in an error of the site, as others may then."""
    is_kept: bool = False
    """A cache keeps pages of users: what comes at an address says little of the site."""

    def __repr__(self) -> str:
        return f"<Loaded {self.page!r}>"

    def excuse(self, finding: Finding, answer: Answer) -> Finding:
        """Return a finding, or that it was not tried where the page had failed, too: that is one fault."""
        if self.is_failing and answer.status >= 500 and finding.outcome is Outcome.FAULT:
            return skipped(finding.trial, finding.tried, f"{answer.summary}; see the trial page", finding.expected)
        return finding


def examine_page(site: Site, browsing: Browsing, path: str, seen: Visit) -> Generator[Finding, None, Loaded]:
    """Load the page as a user, and look at its client; `seen`: what a visitor got. Raises `NoAnswer`."""
    visit = browsing.open(path)
    kept = None
    if not _is_of_user(visit):
        fresh = browsing.open(_unseen(path))
        kept = Kept.VISITORS if _is_of_user(fresh) else _kept_elsewhere(site, browsing)
        if kept is not None:
            yield judge_kept(kept, visit.last)
        if kept is Kept.VISITORS:
            visit = fresh
        elif kept is not None:
            yield skipped(Trial.CLIENT, CLIENT, "a cache answers in the place of the site", CLIENT_EXPECTED)
            return Loaded(is_kept=True)
    finding = judge_page(visit)
    yield finding
    if finding.outcome is not Outcome.OK:
        return Loaded(is_failing=visit.is_failure)
    page = page_of(visit)
    yield judge_client(page)
    if len(page.clients) != 1 or page.clients[0].config is None:
        return Loaded(page)
    if kept is None:
        kept = yield from _caches(site, browsing, visit, page)
    yield judge_headers(visit.last)
    yield _addresses(site, browsing, page, visit.last.url)
    yield from judge_policies(visit.last, page)
    if len(seen.answers) == 1 and seen.is_page and not page_of(seen).clients:
        yield from judge_visitor_headers(seen.last)
    return Loaded(page, is_kept=kept is not None)


def _is_of_user(visit: Visit) -> bool:
    """Return whether a page came as its user is to have it; the login page may have the client, too."""
    return judge_page(visit).outcome is Outcome.OK and bool(page_of(visit).clients)


def _unseen(path: str) -> str:
    """Return a path with a parameter that no cache has seen."""
    parts = urlsplit(path)
    query = "&".join(filter(None, (parts.query, f"idlewatch-doctor={secrets.token_hex(8)}")))
    return parts._replace(query=query).geturl()


def _kept_elsewhere(site: Site, browsing: Browsing) -> Kept | None:
    """Return whether a cache keeps a page of idlewatch's own, which no visitor has asked for: it may ignore queries."""
    path = site.path_to(reverse("idlewatch:sessions"))
    if not page_of(browsing.open(path)).clients:
        return None
    return Kept.SHOWN_TO_VISITOR if page_of(Browsing(site).open(path)).clients else None


def _caches(site: Site, browsing: Browsing, visit: Visit, page: Page) -> Generator[Finding, None, Kept | None]:
    url = visit.last.url
    again = parse_page(browsing.request(url).text)
    visitor = page_of(Browsing(site).open(url))
    kept = find_kept(page, again, visitor, _owner_of(site, browsing, page, url))
    yield judge_kept(kept, visit.last)
    return kept


def _owner_of(site: Site, browsing: Browsing, page: Page, page_url: str) -> str | None:
    """Return what the site says of whose page it was, by the page's token; None if it says nothing."""
    url, token = urls_in(page, page_url).get("page"), config_of(page).get("token")
    if url is None or not isinstance(token, str) or not site.address.has(url):
        return None
    answer = browsing.request(f"{url}?{PARAMETER}={quote(token)}", FETCH)
    owner = (answer.json_object or {}).get("page")
    return owner if answer.status == 200 and isinstance(owner, str) else None


def _addresses(site: Site, browsing: Browsing, page: Page, page_url: str) -> Finding:
    urls = urls_in(page, page_url)
    misplaced = judge_places(urls, site.address, page.base)
    if misplaced is not None:
        return misplaced
    return judge_answers({name: browsing.request(url, FETCH) for name, url in urls.items() if name != "socket"})
