"""The end of a probe's session, as its browser sees it: the part of the page section that comes last."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping

from django.urls import reverse

from idlewatch.conf import conf
from idlewatch.doctor.clients.browsing import Browsing, cookies_set_by, redirect_of
from idlewatch.doctor.clients.http_client import FETCH, NAVIGATION, Answer, NoAnswer
from idlewatch.doctor.clients.socket_client import Closed, Refused
from idlewatch.doctor.findings import Finding, Trial, skipped
from idlewatch.doctor.pages.client import Loaded
from idlewatch.doctor.pages.ended_answers import (
    NAVIGATION_TRIED,
    NOTICE_EXPECTED,
    NOTICE_TRIED,
    POST_TRIED,
    REDIRECT,
    judge_deletion,
    judge_fetch,
    judge_notice,
    judge_old_page,
    judge_redirect,
    judge_socket,
    judge_state,
)
from idlewatch.doctor.site import Site
from idlewatch.http.responses import reason_cookie
from idlewatch.monitor import probes
from idlewatch.monitor.probes import Probe
from idlewatch.process import now

END_TIMEOUT = 5.0
"""Seconds in which the site has to know of an end that is recorded by this process."""
PAUSE = 0.25
"""Seconds between two looks at it."""
SOCKET_TIMEOUT = 5.0
KEPT = "a cache keeps pages of users; see page-cache"
FORM = b"idlewatch-doctor=1"


def examine_end(site: Site, probe: Probe, loaded: Loaded) -> Generator[Finding, None, None]:
    """End a probe, and look at what the site answers to its cookie from then on. Raises `NoAnswer`.

    Where a cache keeps pages of users, what comes of loading one says nothing of the site.
    """
    state, seconds = _end(site, probe)
    finding = judge_state(state, seconds)
    yield finding
    if state.status == 200:
        return
    sessions, page = site.path_to(reverse("idlewatch:sessions")), site.page_path
    if loaded.is_kept:
        yield skipped(Trial.ENDED_NAVIGATION, NAVIGATION_TRIED, KEPT, REDIRECT)
    else:
        navigation = site.request_as(probe, sessions, headers=NAVIGATION)
        yield judge_redirect(Trial.ENDED_NAVIGATION, NAVIGATION_TRIED, navigation, sessions)
        yield from _notice(site, navigation, loaded)
        yield judge_deletion(navigation, site.address, probe.cookies[conf.session_cookie_name])
        yield judge_fetch(site.request_as(probe, sessions, headers=FETCH))
        old = site.request_as(probe, page, headers=NAVIGATION)
        yield loaded.excuse(judge_old_page(old), old)
    form = site.request_as(probe, sessions, method="POST", headers=_form_headers(site, page), body=FORM)
    yield judge_redirect(Trial.ENDED_POST, POST_TRIED, form, page.partition("?")[0])
    yield _socket(site, probe)


def _end(site: Site, probe: Probe) -> tuple[Answer, float]:
    """End a probe; return what the site then says of its state, and after how many seconds."""
    probes.end(probe, now())
    began, path = time.monotonic(), site.path_to(reverse("idlewatch:state"))
    site.note_progress("Waiting until the site knows of the end")
    while True:
        answer = site.request_as(probe, path, headers=FETCH)
        seconds = time.monotonic() - began
        if answer.status != 200 or seconds > END_TIMEOUT:
            return answer, seconds
        time.sleep(PAUSE)


def _form_headers(site: Site, page: str) -> Mapping[str, str]:
    return {
        **NAVIGATION,
        "Sec-Fetch-Site": "same-origin",
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": site.address.origin,
        "Referer": site.address.url(page),
    }


def _notice(site: Site, navigation: Answer, loaded: Loaded) -> Iterator[Finding]:
    """Go where the answer leads, as a browser would: with the cookie of the reason, and without that of the session."""
    target = redirect_of(navigation)
    if target is None:
        return
    if not site.address.has(target):
        yield skipped(Trial.NOTICE, NOTICE_TRIED, "it is another site's", NOTICE_EXPECTED)
        return
    browsing = Browsing(site)
    left = cookies_set_by(navigation).get(reason_cookie())
    if left is not None:
        browsing.cookies[reason_cookie()] = left.value
    login = browsing.open(target)
    yield loaded.excuse(judge_notice(navigation, login), login.last)


def _socket(site: Site, probe: Probe) -> Finding:
    frames = list[str]()
    try:
        with site.socket_as(probe, site.socket_path) as socket:
            while True:
                frames.append(str(socket.receive(SOCKET_TIMEOUT).get("phase")))
    except Closed as closed:
        return judge_socket(frames, closed.code)
    except TimeoutError:
        return judge_socket(frames, None)
    except (Refused, NoAnswer) as error:
        tried = "Socket with the old cookie"
        return skipped(
            Trial.OLD_COOKIE, tried, f"no handshake, {error}", "a frame with the phase ended, closed with 4401"
        )
