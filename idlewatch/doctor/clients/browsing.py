"""Pages as a browser loads them: with the cookies that the site sets, and along redirects to its own origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from http.cookies import CookieError, Morsel, SimpleCookie
from typing import Any, NamedTuple
from urllib.parse import urldefrag, urljoin, urlsplit

from django.urls import get_script_prefix

from idlewatch.conf import conf
from idlewatch.doctor.clients.http_client import NAVIGATION, Answer, shown
from idlewatch.doctor.site import Site
from idlewatch.http.login_views import REDIRECTS
from idlewatch.monitor.probes import Probe

MAX_REDIRECTS = 8


class Stop(StrEnum):
    """Why the last redirect of a visit was not followed."""

    ELSEWHERE = "another origin"
    LOOP = "a loop of redirects"
    TOO_MANY = f"more than {MAX_REDIRECTS} redirects"


class Visit(NamedTuple):
    """What came of loading a page: each redirect, and what stands at their end."""

    answers: Sequence[Answer]
    stop: Stop | None = None
    prefix: str = ""
    """The path of the site's address."""

    def __repr__(self) -> str:
        return f"<Visit with {len(self.answers)} answers>"

    @property
    def last(self) -> Answer:
        """The answer at the end."""
        return self.answers[-1]

    @property
    def asked(self) -> str:
        """The path that was requested first."""
        return urlsplit(self.answers[0].url).path

    @property
    def path(self) -> str:
        """The path at the end."""
        return urlsplit(self.last.url).path

    @property
    def site_path(self) -> str:
        """The path at the end as this process would name it, whose script name may be another than the server's."""
        return get_script_prefix() + self.path.removeprefix(self.prefix).removeprefix("/")

    @property
    def is_page(self) -> bool:
        """Whether a page came in the end."""
        return self.last.status == 200 and is_html(self.last)

    @property
    def is_failure(self) -> bool:
        """Whether an error of the site came in the end."""
        return self.last.status >= 500

    @property
    def summary(self) -> str:
        """What came, in a phrase, without queries."""
        first = self.answers[0]
        redirects = len(self.answers) - 1
        if self.stop is Stop.ELSEWHERE:
            target = urljoin(self.last.url, self.last.headers.get("Location", ""))
            return f"{self.last.status} to {shown(target)}, another origin"
        if self.stop is not None:
            return f"{self.stop}, at the end {self.last.summary}"
        if not redirects:
            return self.last.summary
        return f"{first.status} to {self.path}, and {self.last.status} {self.last.reason} there"


class Browsing:
    """A browser's cookies and loads: a visitor's, or those of the browser that has a probe's session."""

    def __init__(self, site: Site, probe: Probe | None = None) -> None:
        self._site = site
        self._probe = probe
        self.cookies: dict[str, str] = {}
        """What the site has set, but the cookie of a session."""

    def open(self, path: str, headers: Mapping[str, str] = NAVIGATION) -> Visit:
        """Load a page, along its redirects; `path` as browsers request it. Raises `NoAnswer`, `CookieWithheld`."""
        address, answers = self._site.address, list[Answer]()
        url = address.url(path)
        seen: dict[str, int] = {}
        while True:
            answer = self.request(url, headers)
            answers.append(answer)
            target = redirect_of(answer)
            if target is None:
                return Visit(answers, None, address.prefix)
            if not address.has(target):
                return Visit(answers, Stop.ELSEWHERE, address.prefix)
            seen[url] = seen.get(url, 0) + 1
            # A page may redirect to itself once, to set a cookie.
            if seen.get(target, 0) > 1:
                return Visit(answers, Stop.LOOP, address.prefix)
            if len(answers) > MAX_REDIRECTS:
                return Visit(answers, Stop.TOO_MANY, address.prefix)
            url = target

    def request(self, url: str, headers: Mapping[str, str] = NAVIGATION) -> Answer:
        """Load one answer, without following it."""
        if self._probe is not None:
            answer = self._site.request_as(self._probe, url, headers=headers, cookies=self.cookies)
        elif self.cookies:
            answer = self._site.request_with(self.cookies, url, headers=headers)
        else:
            answer = self._site.request(url, headers=headers)
        if self._probe is not None:
            self.take_cookies(answer)
        return answer

    def take_cookies(self, answer: Answer) -> None:
        """Keep the cookies that an answer sets, but that of a session."""
        for name, morsel in cookies_set_by(answer).items():
            if name == conf.session_cookie_name:
                continue
            if is_deletion(morsel):
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.value


def redirect_of(answer: Answer) -> str | None:
    """Return the URL to which an answer redirects, without its fragment; None if it does not."""
    location = answer.headers.get("Location")
    if answer.status not in REDIRECTS or not location:
        return None
    try:
        return urldefrag(urljoin(answer.url, location)).url
    except ValueError:
        # What is no URL leads nowhere.
        return None


def is_html(answer: Answer) -> bool:
    """Return whether an answer is a page."""
    return answer.headers.get_content_type() in {"text/html", "application/xhtml+xml"}


def cookies_set_by(answer: Answer) -> Mapping[str, Morsel[Any]]:
    """Return the cookies that an answer sets or deletes, by their names."""
    found: dict[str, Morsel[Any]] = {}
    for field in answer.headers.get_all("Set-Cookie", []):
        cookie: SimpleCookie = SimpleCookie()
        try:
            cookie.load(field)
        except CookieError:
            continue
        found.update(cookie)
    return found


def is_deletion(morsel: Morsel[Any]) -> bool:
    """Return whether a cookie is set to delete it."""
    return morsel["max-age"] == "0" or str(morsel["expires"]).endswith("1970 00:00:00 GMT")
