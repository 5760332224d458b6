"""The trial of the client's way over HTTP, for networks that block sockets: with what a page has for it."""

from __future__ import annotations

from collections.abc import Mapping

from idlewatch.conf import conf
from idlewatch.doctor.clients.browsing import Browsing, Visit, cookies_set_by, is_deletion
from idlewatch.doctor.clients.http_client import FETCH, Answer, NoAnswer
from idlewatch.doctor.clients.state_endpoint import frame_in
from idlewatch.doctor.findings import Finding, Trial, fault, ok, skipped
from idlewatch.doctor.pages.html import parse_page
from idlewatch.doctor.pages.loaded_page import config_of
from idlewatch.doctor.site import Site
from idlewatch.monitor.probes import Probe

SYNC = "Message of a page over HTTP"
SYNCED = "200 with an active state"
CSRF_HEADER = "X-CSRFToken"


def try_fallback(site: Site, probe: Probe) -> Finding:
    """Load the page, and send what its client sends where no socket opens."""
    site.note_progress("Sending a message over HTTP")
    browsing = Browsing(site, probe)
    try:
        visit = browsing.open(site.page_path)
    except NoAnswer as error:
        return skipped(Trial.FALLBACK, SYNC, f"the page did not come: {error}", SYNCED)
    config = config_of(parse_page(visit.last.text))
    url = str(config.get("message", ""))
    if not url:
        why = f"{site.page_path} has no client ({visit.summary}); see the trial client, or give another --path"
        return skipped(Trial.FALLBACK, SYNC, why, SYNCED)
    if not site.address.has(url):
        return skipped(Trial.FALLBACK, SYNC, "the page names an address of another origin", SYNCED)
    headers = {
        **FETCH,
        "Content-Type": "application/json",
        "Origin": site.address.origin,
        "Referer": visit.last.url,
        str(config.get("csrfHeader", CSRF_HEADER)): str(config.get("csrf", "")),
    }
    renewed = _renewed(visit, probe)
    cookies = {**browsing.cookies, **renewed}
    try:
        answer = site.request_as(probe, url, method="POST", headers=headers, cookies=cookies, body=b'{"type": "sync"}')
    except NoAnswer as error:
        return fault(Trial.FALLBACK, SYNC, str(error), SYNCED, "Pages without a socket have no way to the site.")
    return judge_fallback(answer, is_renewed=bool(renewed))


def _renewed(visit: Visit, probe: Probe) -> Mapping[str, str]:
    """Return the session cookie that a page has set, if it is another: with signed cookies, it may have the token."""
    name = conf.session_cookie_name
    morsel = cookies_set_by(visit.last).get(name)
    if morsel is None or is_deletion(morsel) or morsel.value == probe.cookies.get(name):
        return {}
    return {name: morsel.value}


def judge_fallback(answer: Answer, *, is_renewed: bool = False) -> Finding:
    """Judge what came of a message over HTTP; `is_renewed`: by a session cookie that the page had set."""
    try:
        phase = frame_in(answer)["phase"]
    except NoAnswer as error:
        hint = "See the log of the site: the page could not tell the site of its user's activity without a socket."
        if answer.status == 403:
            hint = (
                "Django's check of CSRF refuses what the page sends: a proxy removes its cookie, its header, Origin or "
                "Referer, the scheme and host of the site are not CSRF_TRUSTED_ORIGINS, or MIDDLEWARE lacks "
                "CsrfViewMiddleware, which sets the cookie."
            )
        return fault(Trial.FALLBACK, SYNC, str(error), SYNCED, hint)
    if answer.status != 200 or phase != "active":
        hint = "The page is not one of the session: does a cache keep it, or does something rotate the session's key?"
        return fault(Trial.FALLBACK, SYNC, f"{answer.summary}, {phase}", SYNCED, hint)
    renewed = ", with the session cookie that the page has set" if is_renewed else ""
    came = f"{answer.summary}, {phase}, in {answer.elapsed * 1000:.0f} ms{renewed}"
    return ok(Trial.FALLBACK, SYNC, came, SYNCED)
