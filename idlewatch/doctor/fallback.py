"""The trial of the client's way over HTTP, for networks that block sockets: with what a page has for it."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie

from idlewatch.doctor.client_config import client_config
from idlewatch.doctor.findings import Finding, Trial, fault, ok, skipped
from idlewatch.doctor.http_client import FETCH, NAVIGATION, Answer, NoAnswer
from idlewatch.doctor.site import Site
from idlewatch.doctor.state_endpoint import frame_in
from idlewatch.monitor.probes import Probe

SYNC = "Message of a page over HTTP"
SYNCED = "200 with an active state"
CSRF_HEADER = "X-CSRFToken"


def try_fallback(site: Site, probe: Probe) -> Finding:
    """Load the page, and send what its client sends where no socket opens."""
    site.note_progress("Sending a message over HTTP")
    path = site.page_path
    try:
        page = site.request_as(probe, path, headers=NAVIGATION)
    except NoAnswer as error:
        return skipped(Trial.FALLBACK, SYNC, f"the page did not come: {error}", SYNCED)
    config = client_config(page.text) or {}
    url = str(config.get("message", ""))
    if not url:
        why = f"{path} has no client ({page.summary}); see the trial client, or give another --path"
        return skipped(Trial.FALLBACK, SYNC, why, SYNCED)
    headers = {
        **FETCH,
        "Content-Type": "application/json",
        "Origin": site.address.origin,
        "Referer": page.url,
        str(config.get("csrfHeader", CSRF_HEADER)): str(config.get("csrf", "")),
    }
    if not site.address.has(url):
        return skipped(Trial.FALLBACK, SYNC, "the page names an address of another origin", SYNCED)
    # As a browser does: with signed cookies, the CSRF token may be in the new one.
    cookies = cookies_set_by(page)
    is_renewed = any(cookies.get(name, value) != value for name, value in probe.cookies.items())
    try:
        answer = site.request_as(probe, url, method="POST", headers=headers, cookies=cookies, body=b'{"type": "sync"}')
    except NoAnswer as error:
        return fault(Trial.FALLBACK, SYNC, str(error), SYNCED, "Pages without a socket have no way to the site.")
    return judge_fallback(answer, is_renewed=is_renewed)


def judge_fallback(answer: Answer, *, is_renewed: bool = False) -> Finding:
    """Judge what came of a message over HTTP; `is_renewed`: by a session cookie that the page had set."""
    try:
        phase = frame_in(answer)["phase"]
    except NoAnswer as error:
        hint = "See the log of the site: the page could not tell the site of its user's activity without a socket."
        if answer.status == 403:
            hint = (
                "Django's check of CSRF refuses what the page sends: a proxy removes its cookie, its header, Origin or "
                "Referer, or the scheme and host of the site are not CSRF_TRUSTED_ORIGINS."
            )
        return fault(Trial.FALLBACK, SYNC, str(error), SYNCED, hint)
    if answer.status != 200 or phase != "active":
        hint = "The page is not one of the session: does a cache keep it, or does something rotate the session's key?"
        return fault(Trial.FALLBACK, SYNC, f"{answer.summary}, {phase}", SYNCED, hint)
    renewed = ", with the session cookie that the page has set" if is_renewed else ""
    came = f"{answer.summary}, {phase}, in {answer.elapsed * 1000:.0f} ms{renewed}"
    return ok(Trial.FALLBACK, SYNC, came, SYNCED)


def cookies_set_by(answer: Answer) -> dict[str, str]:
    """Return the cookies that an answer sets, as a browser would send them back."""
    found = SimpleCookie()
    for header in answer.headers.get_all("Set-Cookie", []):
        try:
            found.load(header)
        except CookieError:
            continue
    return {name: morsel.value for name, morsel in found.items() if morsel.value}
