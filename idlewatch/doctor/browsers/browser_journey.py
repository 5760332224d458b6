"""The way of a user through a session in a browser: signed in, warned, extended, warned again, signed out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.utils.translation import override

from idlewatch.core.activity import Reason
from idlewatch.core.policy import Phase
from idlewatch.doctor.browsers.browser import launched, open_tab
from idlewatch.doctor.browsers.browser_tab import BrowserFailed, Tab
from idlewatch.doctor.findings import Finding, Trial, fault, ok, skipped, warning
from idlewatch.doctor.site import Site
from idlewatch.http.i18n import NOTICES

IDLE_TIMEOUT, WARN_BEFORE = 8.0, 5.0
"""The limits of the session, in seconds: it is warned three seconds after the page was loaded."""
START_TIMEOUT = 10.0
"""Seconds until the client has a state from the server."""
SLACK = 5.0
"""Seconds by which a push may be late."""
ANSWER_TIMEOUT = 3.0
"""Seconds from the click to the answer: before the session would have ended."""
LEAVE_TIMEOUT = 10.0
"""Seconds until the page has gone to the login page: the client leaves two for the reason to be read."""
PICTURES = ("signed-in", "warning", "extended", "warning-again", "ended", "login")
"""The pictures, in their order."""

STARTS = "A Chromium on this machine", "one that starts"
ERRORS = "Console and requests while signed in", "no error about idlewatch"
WARNED = f"Warning of a session of {IDLE_TIMEOUT:g} s", f"a dialog, {WARN_BEFORE:g} s before the end"
EXTENDED = "Click on “Stay signed in”", "the dialog closes, and the session goes on"
ENDED = "Warning again, and end", "a dialog, then the content is hidden"
LOGIN = "The page after the end", "the login page, which names the reason"
CLIENT_EXPECTED = "runs, connected by a socket"

NOT_LOADED = "The browser reaches the address otherwise than this command, or does not trust its certificate."
NO_CLIENT = (
    "Put {% idlewatch %} in the base template; if the page is a login page, the session is not accepted: compare the "
    "attributes of the session cookie with the address."
)
DOES_NOT_RUN = "The script is not loaded, or is blocked: see browser-errors below, static-script and policy-script."
OFFLINE = "Requests to idlewatch's URLs fail in the browser: see browser-errors below."
POLLS = "The browser opens no socket although this command can: a policy, a service worker or an extension blocks it."
FAILED = "Without these files or requests, pages neither warn nor end. A policy, a proxy or a script is in their way."
NO_WARNING = (
    "Something keeps the session active, such as a frame or a script that loads pages by itself; or no push arrives: "
    "see warning, and timer."
)
NOT_SHOWN = "A script of the page cancels idlewatch:warned to show its own warning; if none does, a style hides it."
NOT_EXTENDED = "See the picture: an element may lie above the dialog. If it does not, see extension."
NOT_HIDDEN = "See the picture. No push of the end arrives (see end), or a script of the page brings its content back."
NO_REASON = "Put {% idlewatch %} in the login page, too, or show request.idlewatch.notice there."


class Journey:
    """Goes the way, saves a picture of each stage, and yields what is found."""

    def __init__(self, site: Site, program: Path, pictures: Path) -> None:
        self._site = site
        self._program = program
        self._pictures = pictures

    def findings(self) -> Iterator[Finding]:
        """Start a browser, and go the way in it."""
        self._remove_pictures()
        self._site.note_progress("Starting a browser")
        try:
            with launched(self._site, self._program) as browser:
                came = f"{self._program.name} {browser.version}; pictures in {self._pictures}"
                yield ok(Trial.BROWSER, STARTS[0], came, STARTS[1])
                with self._site.probe(idle_timeout=IDLE_TIMEOUT, warn_before=WARN_BEFORE) as probe:
                    yield from self._go(open_tab(self._site, browser, probe))
        except BrowserFailed as error:
            yield skipped(Trial.BROWSER, STARTS[0], f"{self._program} does not start: {error}", STARTS[1])

    def _go(self, tab: Tab) -> Iterator[Finding]:
        yield self._find_client(tab)
        self._save_picture(tab, "signed-in")
        yield self._find_errors(tab)
        if not tab.is_connected:
            return
        yield self._see_warning(tab)
        self._save_picture(tab, "warning")
        yield self._extend(tab)
        self._save_picture(tab, "extended")
        yield from self._end(tab)

    def _find_client(self, tab: Tab) -> Finding:
        page = self._site.page_path
        tried, began = f"The client at {page.partition('?')[0]} in a browser", time.monotonic()
        self._site.note_progress("Loading the page in a browser")
        try:
            loaded = tab.load(self._site.address.url(page))
        except BrowserFailed as error:
            return fault(Trial.BROWSER_CLIENT, tried, f"{error}", CLIENT_EXPECTED, NOT_LOADED)
        if not tab.has_client:
            came = f"{loaded.status} at {loaded.path}, without the client"
            return fault(Trial.BROWSER_CLIENT, tried, came, CLIENT_EXPECTED, NO_CLIENT)
        no_socket = self._site.why_no_socket
        tab.until(lambda: tab.is_connected and (tab.sockets or no_socket), START_TIMEOUT)
        came, hint = _trouble_of(tab, no_socket)
        if hint:
            return fault(Trial.BROWSER_CLIENT, tried, came, CLIENT_EXPECTED, hint)
        return ok(Trial.BROWSER_CLIENT, tried, f"{came}, after {time.monotonic() - began:.1f} s", CLIENT_EXPECTED)

    def _find_errors(self, tab: Tab) -> Finding:
        errors = tab.problems.found
        if self._site.why_no_socket is not None:
            # That is the fault of another trial, or a site under WSGI.
            errors = [error for error in errors if "WebSocket" not in error]
        if errors:
            return fault(Trial.BROWSER_ERRORS, ERRORS[0], " | ".join(errors), ERRORS[1], FAILED)
        return ok(Trial.BROWSER_ERRORS, ERRORS[0], "none", ERRORS[1])

    def _see_warning(self, tab: Tab) -> Finding:
        self._site.note_progress("Waiting for the warning in a browser")
        if not tab.until(lambda: tab.phase == Phase.WARNED, IDLE_TIMEOUT - WARN_BEFORE + SLACK):
            came = f"none in time: the session is {tab.phase or 'without a state'}"
            return fault(Trial.BROWSER_WARNING, WARNED[0], came, WARNED[1], NO_WARNING)
        remaining = (tab.state or {}).get("remaining", 0.0)
        if not tab.until(lambda: tab.shows("dialog"), 1.0):
            return warning(Trial.BROWSER_WARNING, WARNED[0], "came, and no dialog is visible", WARNED[1], NOT_SHOWN)
        return ok(Trial.BROWSER_WARNING, WARNED[0], f"a dialog, {remaining:.1f} s before the end", WARNED[1])

    def _extend(self, tab: Tab) -> Finding:
        if not tab.shows("dialog"):
            return skipped(Trial.BROWSER_EXTENSION, EXTENDED[0], "no dialog is visible", EXTENDED[1])
        began = time.monotonic()
        try:
            tab.stay()
        except BrowserFailed as error:
            return fault(Trial.BROWSER_EXTENSION, EXTENDED[0], f"{error}", EXTENDED[1], NOT_EXTENDED)
        if not tab.until(lambda: tab.phase == Phase.ACTIVE and not tab.shows("dialog"), ANSWER_TIMEOUT):
            came = f"after {ANSWER_TIMEOUT:g} s the session is {tab.phase}"
            return fault(Trial.BROWSER_EXTENSION, EXTENDED[0], came, EXTENDED[1], NOT_EXTENDED)
        came = f"closed and active after {time.monotonic() - began:.1f} s"
        return ok(Trial.BROWSER_EXTENSION, EXTENDED[0], came, EXTENDED[1])

    def _end(self, tab: Tab) -> Iterator[Finding]:
        self._site.note_progress("Waiting for the end in a browser")
        # Requests of a session that has ended are refused, as they should be.
        tab.problems.stop()
        pages, began = tab.pages, time.monotonic()
        is_warned = tab.until(lambda: tab.shows("dialog"), IDLE_TIMEOUT - WARN_BEFORE + SLACK)
        self._save_picture(tab, "warning-again")
        tab.until(lambda: tab.pages > pages or (tab.is_hidden and tab.shows("overlay")), WARN_BEFORE + SLACK)
        seconds = time.monotonic() - began
        is_hidden = tab.is_hidden
        self._save_picture(tab, "ended")
        if not is_hidden and tab.pages == pages:
            came = f"the content is still shown after {seconds:.1f} s; the session is {tab.phase or 'without a state'}"
            yield fault(Trial.BROWSER_END, ENDED[0], came, ENDED[1], NOT_HIDDEN)
            return
        came = f"{'a dialog' if is_warned else 'no dialog'}, and the content hidden after {seconds:.1f} s"
        yield ok(Trial.BROWSER_END, ENDED[0], came, ENDED[1])
        yield self._see_login(tab, pages)

    def _see_login(self, tab: Tab, pages: int) -> Finding:
        self._site.note_progress("Waiting for the login page in a browser")
        if not tab.until(lambda: tab.pages > pages, LEAVE_TIMEOUT):
            why = "the page stays, as it does with input that is not saved"
            return skipped(Trial.BROWSER_LOGIN, LOGIN[0], why, LOGIN[1])
        names_reason = tab.until(lambda: any(sentence in tab.text for sentence in reasons()), ANSWER_TIMEOUT)
        self._save_picture(tab, "login")
        if names_reason:
            return ok(Trial.BROWSER_LOGIN, LOGIN[0], f"{tab.path}, with the reason", LOGIN[1])
        if not self._site.address.has(tab.url):
            return ok(Trial.BROWSER_LOGIN, LOGIN[0], f"{tab.url}, of another site", LOGIN[1])
        return fault(Trial.BROWSER_LOGIN, LOGIN[0], f"{tab.path}, without the reason", LOGIN[1], NO_REASON)

    def _save_picture(self, tab: Tab, name: str) -> None:
        tab.save_picture(self._path_of(name))

    def _remove_pictures(self) -> None:
        """Remove those of an earlier run, of which this one might replace some only."""
        for name in PICTURES:
            self._path_of(name).unlink(missing_ok=True)

    def _path_of(self, name: str) -> Path:
        return self._pictures / f"{PICTURES.index(name) + 1}-{name}.png"


def reasons() -> set[str]:
    """Return the sentence that tells of an end for inactivity, in each language of the site."""
    found = set()
    for language, _ in settings.LANGUAGES:
        with override(language):
            found.add(" ".join(str(NOTICES[Reason.IDLE]).split()))
    return found


def _trouble_of(tab: Tab, no_socket: str | None) -> tuple[str, str]:
    """Return how the client runs, and a hint if it does not run as it should."""
    state = tab.state
    if state is None:
        return "is in the page, and does not run", DOES_NOT_RUN
    if state["offline"]:
        return "runs, and does not reach the server", OFFLINE
    if tab.sockets:
        return CLIENT_EXPECTED, ""
    if no_socket is None:
        return "runs, and opens no socket", POLLS
    return "runs, connected by polling: no socket is accepted", ""
