"""The page section: the client in it, its policy, caches, the login view, and the answers after an end."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Iterator
from typing import TypeVar
from urllib.parse import quote, urlsplit

from django.urls import reverse

from idlewatch.conf import conf
from idlewatch.doctor.admin_page import admin_sites, judge_admin
from idlewatch.doctor.browsing import Browsing, Visit, is_html
from idlewatch.doctor.findings import Finding, Outcome, Trial, fault, skipped
from idlewatch.doctor.html import Page, parse_page
from idlewatch.doctor.http_client import FETCH, NoAnswer
from idlewatch.doctor.loaded_page import config_of, judge_client, judge_page, judge_visitor, page_of
from idlewatch.doctor.login_view import SIGN_IN, judge_login_view, judge_reauthentication
from idlewatch.doctor.page_addresses import json_of, judge_answers, judge_places, urls_in
from idlewatch.doctor.page_caches import Kept, find_kept, judge_headers, judge_kept, judge_visitor_headers
from idlewatch.doctor.page_policy import judge_policies
from idlewatch.doctor.probe_session import judge_probe
from idlewatch.doctor.sections.ended import examine_end
from idlewatch.doctor.site import Site
from idlewatch.http.page_tokens import PARAMETER
from idlewatch.monitor.probes import Probe

T = TypeVar("T")


def examine(site: Site) -> Iterator[Finding]:
    """Load the page as a visitor and as a user, and look at its client, its policies, the login view and an end."""
    if site.options.address is None:
        yield skipped(Trial.VISITOR_PAGE, "Page of a visitor", "no address answers", "a page")
        return
    site.note_progress("Loading the page")
    path = site.page_path
    try:
        seen = Browsing(site).open(path)
    except NoAnswer as error:
        yield fault(
            Trial.VISITOR_PAGE, "Page of a visitor", str(error), "a page", "Look at the proxy and at the site's log."
        )
        return
    yield judge_visitor(seen)
    why = _why_no_session(site)
    if why is not None:
        yield skipped(Trial.PAGE, "Page with the probe's cookie", why, "a page with the client")
        return
    with site.probe() as probe:
        yield from _examine_as(site, probe, path, seen)


def _why_no_session(site: Site) -> str | None:
    if site.options.user is None:
        return "give --user NAME, an account without rights"
    return site.why_no_cookie


def _examine_as(site: Site, probe: Probe, path: str, seen: Visit) -> Iterator[Finding]:
    accepted = yield from _trying(Trial.PROBE, lambda: _probe(site, probe))
    if not accepted:
        yield skipped(Trial.PAGE, "Page with the probe's cookie", "the site does not accept the probe", "a page")
        return
    browsing = Browsing(site, probe)
    page = yield from _trying(Trial.PAGE, lambda: _page(site, browsing, path, seen))
    yield from _trying(Trial.ADMIN_PAGE, lambda: _admin(site, browsing))
    yield from _trying(Trial.LOGIN_VIEW, lambda: _login(site, browsing, page or Page()))
    yield from _trying(Trial.OLD_COOKIE, lambda: examine_end(site, probe))


def _trying(trial: Trial, findings: Callable[[], Generator[Finding, None, T]]) -> Generator[Finding, None, T | None]:
    """Yield findings and return what they end with; where the site does not answer, yield a fault."""
    try:
        return (yield from findings())
    except NoAnswer as error:
        yield fault(
            trial, "Requests with the probe's cookie", str(error), "an answer", "The log of the site may say why."
        )
        return None


def _probe(site: Site, probe: Probe) -> Generator[Finding, None, bool]:
    finding = judge_probe(site.request_as(probe, site.path_to(reverse("idlewatch:state")), headers=FETCH))
    yield finding
    return finding.outcome is Outcome.OK


def _page(site: Site, browsing: Browsing, path: str, seen: Visit) -> Generator[Finding, None, Page]:
    visit = browsing.open(path)
    finding = judge_page(visit)
    yield finding
    if finding.outcome is not Outcome.OK:
        return Page()
    page = page_of(visit)
    if not page.clients:
        fresh = browsing.request(_unseen(visit.last.url))
        page = parse_page(fresh.text) if is_html(fresh) else page
        if page.clients:
            yield judge_kept(Kept.VISITORS, visit.last)
            visit = Visit([fresh], None, visit.prefix)
    yield judge_client(page)
    if len(page.clients) == 1 and page.clients[0].config is not None:
        yield from _client(site, browsing, visit, page)
        if len(seen.answers) == 1 and seen.is_page and not page_of(seen).clients:
            yield from judge_visitor_headers(seen.last)
    return page


def _unseen(url: str) -> str:
    """Return a URL with a parameter that no cache has seen."""
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, f"idlewatch-doctor={secrets.token_hex(8)}")))
    return parts._replace(query=query).geturl()


def _client(site: Site, browsing: Browsing, visit: Visit, page: Page) -> Iterator[Finding]:
    url = visit.last.url
    again = browsing.request(url)
    visitor = Browsing(site).open(url)
    kept = find_kept(page, parse_page(again.text), page_of(visitor), _owner_of(site, browsing, page, url))
    yield judge_kept(kept, visit.last)
    yield judge_headers(visit.last)
    yield _addresses(site, browsing, page, url)
    yield from judge_policies(visit.last, page)


def _owner_of(site: Site, browsing: Browsing, page: Page, page_url: str) -> str | None:
    """Return what the site says of whose page it was, by the page's token; None if it says nothing."""
    url, token = urls_in(page, page_url).get("page"), config_of(page).get("token")
    if url is None or not isinstance(token, str) or not site.address.has(url):
        return None
    answer = browsing.request(f"{url}?{PARAMETER}={quote(token)}", FETCH)
    owner = (json_of(answer) or {}).get("page")
    return owner if answer.status == 200 and isinstance(owner, str) else None


def _addresses(site: Site, browsing: Browsing, page: Page, page_url: str) -> Finding:
    urls = urls_in(page, page_url)
    misplaced = judge_places(urls, site.address, page.base)
    if misplaced is not None:
        return misplaced
    return judge_answers({name: browsing.request(url, FETCH) for name, url in urls.items() if name != "socket"})


def _admin(site: Site, browsing: Browsing) -> Generator[Finding, None, None]:
    for name, path in admin_sites():
        yield judge_admin(name, browsing.open(site.path_to(path)))


def _login(site: Site, browsing: Browsing, page: Page) -> Generator[Finding, None, None]:
    """Open the addresses of the page's links "Sign in again"; those that a page would have, if there is none."""
    config, back = config_of(page), quote(site.path_to(reverse("idlewatch:signed-in")))
    login = config.get("signIn") or site.path_to(f"{conf.login_url}?next={back}")
    if site.address.has(str(login)):
        yield judge_login_view(browsing.open(str(login)))
    else:
        expected = "a login view of this site"
        yield skipped(Trial.LOGIN_VIEW, SIGN_IN, f"it is at {urlsplit(str(login)).netloc}", expected)
    prove = config.get("reauthenticate") or f"{site.path_to(reverse('idlewatch:reauthenticate'))}?next={back}"
    yield judge_reauthentication(browsing.open(site.address.url(str(prove))))
