"""The page section: the client in it, its policy, caches, the login view, and the answers after an end."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TypeVar
from urllib.parse import quote, urlsplit

from django.urls import reverse

from idlewatch.conf import conf
from idlewatch.doctor.clients.browsing import Browsing, Visit
from idlewatch.doctor.clients.http_client import FETCH, NoAnswer
from idlewatch.doctor.findings import Finding, Outcome, Trial, fault, skipped
from idlewatch.doctor.pages.admin_page import admin_sites, judge_admin
from idlewatch.doctor.pages.client import Loaded, examine_page
from idlewatch.doctor.pages.ended import examine_end
from idlewatch.doctor.pages.loaded_page import (
    LOG_HINT,
    VISITOR,
    VISITOR_EXPECTED,
    config_of,
    judge_visitor,
)
from idlewatch.doctor.pages.login_view import (
    FORM_OR_NEXT,
    SIGN_IN,
    judge_default,
    judge_login_view,
    judge_reauthentication,
)
from idlewatch.doctor.pages.page_trials import TEXTS, skip_others
from idlewatch.doctor.pages.probe_session import judge_probe
from idlewatch.doctor.site import Site
from idlewatch.monitor.probes import Probe

T = TypeVar("T")

GONE_HINT = "The site answered before, and does not any more: did it stop, or restart? See its log, and run this again."


def examine(site: Site) -> Iterator[Finding]:
    """Load the page as a visitor and as a user, and look at its client, its policies, the login view and an end.

    What one finding decides for others is not tried: each of these says so.
    """
    made, why = set[Trial](), ""
    for finding in _examine(site):
        yield finding
        made.add(finding.trial)
        if finding.outcome is Outcome.FAULT:
            why = why or f"see the trial {finding.trial}"
    yield from skip_others(made, _why_not(site) or why or "nothing to try")


def _why_not(site: Site) -> str | None:
    return site.why_unreached or site.why_no_probe


def _examine(site: Site) -> Iterator[Finding]:
    if site.why_unreached is not None:
        return
    site.note_progress("Loading the page")
    path = site.page_path
    try:
        seen = Browsing(site).open(path)
    except NoAnswer as error:
        yield fault(Trial.VISITOR_PAGE, VISITOR, str(error), VISITOR_EXPECTED, LOG_HINT)
        return
    yield judge_visitor(seen)
    if site.why_no_probe is None:
        with site.probe() as probe:
            yield from _examine_as(site, probe, path, seen)


def _examine_as(site: Site, probe: Probe, path: str, seen: Visit) -> Iterator[Finding]:
    accepted = yield from _trying(site, Trial.PROBE, lambda: _probe(site, probe))
    if not accepted:
        return
    browsing = Browsing(site, probe)
    loaded = yield from _trying(site, Trial.PAGE, lambda: examine_page(site, browsing, path, seen))
    loaded = loaded or Loaded()
    yield from _trying(site, Trial.ADMIN_PAGE, lambda: _admin(site, browsing, loaded))
    yield from _trying(site, Trial.LOGIN_VIEW, lambda: _login(site, browsing, loaded))
    yield from _trying(site, Trial.OLD_COOKIE, lambda: examine_end(site, probe, loaded))


def _trying(
    site: Site, trial: Trial, findings: Callable[[], Generator[Finding, None, T]]
) -> Generator[Finding, None, T | None]:
    """Yield findings and return what they end with; where the site does not answer, yield a fault.

    Nothing more is tried of a site that answers no challenge any more either.
    """
    if site.why_no_session is not None:
        return None
    try:
        return (yield from findings())
    except NoAnswer as error:
        hint = LOG_HINT
        if site.challenge().answer is None:
            site.why_no_session, hint = f"the site stopped answering; see the trial {trial}", GONE_HINT
        yield fault(trial, "Requests with the probe's cookie", str(error), "an answer", hint)
        return None


def _probe(site: Site, probe: Probe) -> Generator[Finding, None, bool]:
    answer = site.request_as(probe, site.path_to(reverse("idlewatch:state")), headers=FETCH)
    finding = judge_probe(answer, site.differing_settings)
    yield finding
    if finding.outcome is not Outcome.OK:
        site.why_no_session = "the site does not accept its session; see the trial probe"
    return finding.outcome is Outcome.OK


def _admin(site: Site, browsing: Browsing, loaded: Loaded) -> Generator[Finding, None, None]:
    sites = list(admin_sites())
    if not sites:
        tried, expected = TEXTS[Trial.ADMIN_PAGE]
        yield skipped(Trial.ADMIN_PAGE, tried, "the project's URLs have none", expected)
    for name, path in sites:
        visit = browsing.open(site.path_to(path))
        yield loaded.excuse(judge_admin(name, visit), visit.last)


def _login(site: Site, browsing: Browsing, loaded: Loaded) -> Generator[Finding, None, None]:
    """Open what "Sign in again" leads to in the page; where there is none, what it would lead to."""
    config, back = config_of(loaded.page), quote(site.path_to(reverse("idlewatch:signed-in")))
    login = str(config.get("login") or conf.login_url)
    if not urlsplit(login).netloc:
        login = site.path_to(login)
    if site.address.has(login):
        visit = browsing.open(str(config.get("signIn") or f"{login}?next={back}"))
        following = loaded.excuse(judge_login_view(visit), visit.last)
        yield following
        if following.outcome is Outcome.OK:
            yield from judge_default(browsing.open(login))
    else:
        yield skipped(Trial.LOGIN_VIEW, SIGN_IN, "it is another site's", FORM_OR_NEXT)
    prove = str(config.get("reauthenticate") or f"{site.path_to(reverse('idlewatch:reauthenticate'))}?next={back}")
    visit = browsing.open(prove)
    yield loaded.excuse(judge_reauthentication(visit), visit.last)
