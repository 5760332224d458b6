"""The HTTP section: the signed challenge, health, the cookies and the static files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

from django.conf import settings
from django.http.response import HttpResponseBase
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse

from idlewatch.doctor.address import is_in_clear, why_no_cookie
from idlewatch.doctor.clients.http_client import Answer, NoAnswer, shown
from idlewatch.doctor.findings import Finding, Trial, fault, ok, skipped, warning
from idlewatch.doctor.network.cookies import cookie_of, flaws_of
from idlewatch.doctor.network.static_files import (
    COLLECT,
    SCRIPT_FILE,
    STYLESHEET_FILE,
    File,
    fetch,
    flaws_in,
    is_mixed,
)
from idlewatch.doctor.network.unanswered import why_unanswered
from idlewatch.doctor.phrases import counted
from idlewatch.doctor.site import Site
from idlewatch.ops.self_report import static_url
from idlewatch.views.ops import healthz, readyz

View = Callable[..., HttpResponseBase | Awaitable[HttpResponseBase]]
CLOSED = frozenset({401, 403})
"""How a proxy answers for what it keeps from the outside."""
WITH_SITE = {
    Trial.HEALTH: "Health endpoint",
    Trial.READINESS: "Readiness endpoint",
    Trial.SCRIPT: "The client's script",
    Trial.STYLESHEET: "The client's stylesheet",
}
"""What needs an answering site."""


def examine(site: Site) -> Iterator[Finding]:
    """Look at how the site answers at its address, and at its cookies."""
    if site.options.address is None:
        why = site.why_unreached or ""
        yield skipped(Trial.CHALLENGE, "Signed challenge", why, "a signed report")
        yield skipped(Trial.SESSION_COOKIE, "Session cookie", why, "browsers keep it")
    else:
        yield _challenge(site)
        yield from _cookies(site)
    if site.why_unreached is not None:
        for trial, tried in WITH_SITE.items():
            yield skipped(trial, tried, site.why_unreached, "200")
        return
    yield _health(site)
    yield _readiness(site)
    for trial, file in ((Trial.SCRIPT, SCRIPT_FILE), (Trial.STYLESHEET, STYLESHEET_FILE)):
        yield _static_file(site, trial, file)


def _challenge(site: Site) -> Finding:
    tried, expected = f"Signed challenge to {site.address.origin}{site.diagnosis_path or ''}", "a signed report"
    answered = list(site.answered)
    if all(each.report is not None for each in answered):
        # A cache that keeps answers has none yet for those that are sent at once.
        answered.append(site.challenge())
    failed, count = [each for each in answered if each.report is None], len(answered)
    if not failed:
        slowest = max(each.answer.elapsed for each in answered if each.answer is not None)
        came = f"{count} of {count} answered in {slowest * 1000:.0f} ms, by {counted(len(site.reports), 'process')}"
        return ok(Trial.CHALLENGE, tried, came, expected)
    came = failed[0].came + (f" ({len(failed)} of {count} times)" if len(failed) < count else "")
    cause = why_unanswered(site, failed[0])
    if not cause.is_fault:
        return skipped(Trial.CHALLENGE, tried, f"{came}; {cause.hint}", expected)
    if cause.trial is not Trial.CHALLENGE and not site.reports:
        return skipped(Trial.CHALLENGE, tried, f"{came}; see {cause.trial.value}", expected)
    return fault(Trial.CHALLENGE, tried, came, expected, cause.hint)


def _cookies(site: Site) -> Iterator[Finding]:
    yield from _cookie(site, Trial.SESSION_COOKIE, "Session cookie", "SESSION_COOKIE")
    if not settings.CSRF_USE_SESSIONS:
        yield from _cookie(site, Trial.CSRF_COOKIE, "CSRF cookie", "CSRF_COOKIE")
    why = None if site.options.user is None else why_no_cookie(site.address)
    if why is not None:
        tried, expected = f"Cookie of a probe to {site.address.origin}", "it may go there"
        hint = "Nothing is tried with a session. Name the host in ALLOWED_HOSTS, and give the address that users visit."
        if is_in_clear(site.address):
            hint = (
                "Nothing is tried with a session, whose cookie would go over the net in clear text. Give the https "
                "address of the site, or run the command where the site runs and give its address there."
            )
        yield fault(Trial.SESSION_COOKIE, tried, f"it may not: {why}", expected, hint)


def _cookie(site: Site, trial: Trial, what: str, setting: str) -> Iterator[Finding]:
    cookie = cookie_of(setting)
    tried, expected = f"{what} at {site.address.origin}{site.address.prefix}/", "browsers keep it and send it back"
    flaws = list(flaws_of(cookie, site.address))
    for flaw in flaws:
        yield (fault if flaw.is_fatal else warning)(trial, tried, flaw.came, expected, flaw.hint)
    if not flaws:
        came = f"path {cookie.path!r}, domain {cookie.domain or 'of the host'}, Secure {cookie.secure}"
        yield ok(trial, tried, f"{came}, SameSite {cookie.samesite}", expected)


def _health(site: Site) -> Finding:
    def judge(answer: Answer) -> str | None:
        return None if answer.body.strip() == b"ok" else "Another page answers there."

    return _endpoint(site, Trial.HEALTH, healthz, judge)


def _readiness(site: Site) -> Finding:
    def judge(answer: Answer) -> str | None:
        is_ready = (answer.json_object or {}).get("ready") is True
        return None if is_ready else "Another page answers there."

    return _endpoint(site, Trial.READINESS, readyz, judge)


def _endpoint(site: Site, trial: Trial, view: View, judge: Callable[[Answer], str | None]) -> Finding:
    what, path = WITH_SITE[trial], url_of(view)
    if path is None:
        return skipped(trial, what, f"no URL leads to idlewatch.views.ops.{trial.value}", "200")
    tried = f"{what} {site.path_to(path)}"
    try:
        answer = site.request(site.path_to(path))
    except NoAnswer as error:
        return fault(trial, tried, str(error), "200", "The challenge was answered, this was not: see the site's log.")
    if answer.status in CLOSED:
        return ok(trial, tried, f"{answer.summary}: closed to this machine", "200, or closed to the outside")
    if answer.status == 503:
        came = f"503, not ready: {_failing_parts(answer)}"
        return fault(trial, tried, came, "200", "The site's log has the reasons ('This process is not ready').")
    if answer.status != 200:
        hint = "Something in front of the view answers: a redirect to https or to a login, or the proxy."
        return fault(trial, tried, answer.summary, "200", hint)
    wrong = judge(answer)
    if wrong is not None:
        return fault(trial, tried, "200 with another body", "200", wrong)
    return ok(trial, tried, f"200 in {answer.elapsed * 1000:.0f} ms", "200")


def _failing_parts(answer: Answer) -> str:
    parts = (answer.json_object or {}).get("problems")
    return ", ".join(map(str, parts)) if isinstance(parts, list) and parts else "it names no parts"


def url_of(view: View) -> str | None:
    """Return the path of a view's first URL, whatever namespace it has; None if no URL leads to it."""
    with suppress(NoReverseMatch):
        return reverse(view)  # type: ignore[arg-type]  # async views, too
    for name in _names_of(get_resolver(), view):
        with suppress(NoReverseMatch):
            return reverse(name)
    return None


def _names_of(resolver: URLResolver, view: View, namespaces: tuple[str, ...] = ()) -> Iterator[str]:
    for each in resolver.url_patterns:
        if isinstance(each, URLResolver):
            inner = (*namespaces, each.namespace) if each.namespace else namespaces
            yield from _names_of(each, view, inner)
        elif isinstance(each, URLPattern) and each.callback is view and each.name:
            yield ":".join((*namespaces, each.name))


def _static_file(site: Site, trial: Trial, file: File) -> Finding:
    what, expected = WITH_SITE[trial], "200 with the installed file"
    report = next(iter(site.reports.values()))
    url = report.script_url if trial is Trial.SCRIPT else report.stylesheet_url
    if url is None:
        came = f"the storage of static files has no {file.name}"
        return fault(trial, what, came, "an address", f"Its manifest lacks the file. {COLLECT}")
    tried = f"{what} {shown(url)}"
    if is_mixed(site, url):
        hint = "Browsers load nothing by plain http into a page with TLS: set STATIC_URL to https://."
        return fault(trial, tried, "an address without TLS", expected, hint)
    try:
        answer = fetch(site, url, file)
    except NoAnswer as error:
        return fault(trial, tried, str(error), expected, "Start what serves STATIC_URL, or correct that setting.")
    flaw = next(flaws_in(site, url, file, answer), None)
    if flaw is not None:
        return fault(trial, tried, flaw.came, expected, flaw.hint)
    if static_url(file.name) not in {url, None} and site.address.prefix == "":
        hint = f"The running processes name another file than this command: restart them. {COLLECT}"
        return warning(trial, tried, "the installed file, by another name than here", expected, hint)
    return ok(trial, tried, f"200, {len(answer.body)} bytes as installed", expected)
