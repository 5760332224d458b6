"""The site that is examined: how to reach it, which of its processes answer, and the probes with which it is tried."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from statistics import median
from threading import Thread
from typing import Any, NamedTuple, TypeVar

from django.contrib.auth.base_user import AbstractBaseUser
from django.http.request import split_domain_port
from django.urls import NoReverseMatch, reverse

from idlewatch.conf import conf
from idlewatch.core.policy import Policy
from idlewatch.core.probes import PROBE_LIFETIME
from idlewatch.core.protocol import TAB_PATH
from idlewatch.doctor.address import Address, why_no_cookie
from idlewatch.doctor.backends.own_store import OwnStore
from idlewatch.doctor.challenges import Answered, send_challenge
from idlewatch.doctor.clients.http_client import NAVIGATION, Answer, HttpClient, NoAnswer
from idlewatch.doctor.clients.socket_client import TabSocket, open_socket
from idlewatch.exceptions import IdleWatchError
from idlewatch.http.site_urls import below_script_name
from idlewatch.monitor import probes
from idlewatch.monitor.probes import Probe
from idlewatch.ops.self_report import SelfReport, settings_digests
from idlewatch.process import now

T = TypeVar("T")

NOT_FOUND = 404
CHALLENGES = 8
"""Challenges that are sent at once, so that each process of the site is likely to get one."""
START_TIMEOUT = 4.0
"""Seconds for which the first round of a process is awaited: some servers start their timer at the first request, which
may be a challenge."""
CHALLENGE_INTERVAL = 0.3
"""Seconds between two challenges meanwhile."""
MIN_SKEW = 0.5
"""Seconds by which the site's clock is ahead of the doctor's, or behind, at least; less may be the way of an answer."""
LONG_IDLE_TIMEOUT, LONG_WARNING = 110.0, 10.0
"""The limits of a probe that is not to be warned while it is examined, in seconds."""


class Options(NamedTuple):
    """What the operator asked for."""

    address: Address | None = None
    """None: no address was given, and nothing answers at the usual one."""
    path: str | None = None
    """The page that is loaded with a session, below the site's address; None: see `Site.page_path`."""
    user: AbstractBaseUser | None = None
    """The account of the probes; None: nothing is tried with a session."""
    accounts_failure: str | None = None
    """Why accounts can't be read; None if they can, or were not asked for."""
    idle: float = 0.0
    """Seconds that a socket is left alone, to see whether a proxy cuts it off."""
    pictures: Path | None = None
    """The directory for pictures by a browser; None: no browser is driven."""
    chromium: Path | None = None
    """The program of the browser; None: an installed one is looked for."""

    def __repr__(self) -> str:
        return f"<Options for {self.address}>"


class CookieWithheld(IdleWatchError):
    """No session cookie is sent to this address."""


class Site:
    """A site under examination.

    Sections share it: what one of them found out is asked once. It is used from one thread.
    """

    def __init__(self, options: Options, note_progress: Callable[[str], None] = lambda _: None) -> None:
        self.options = options
        self.note_progress = note_progress
        """Shows what is being waited for, or nothing for an empty text."""
        self.client = None if options.address is None else HttpClient(options.address)
        self.why_no_session: str | None = None
        """Why trials with a session are skipped: the site was found not to accept one."""
        self.secrets: set[str] = set()
        """The values of the probes' cookies, which are printed nowhere."""
        self._runner = asyncio.Runner()
        self.own_store = OwnStore(self.run)

    @property
    def address(self) -> Address:
        """The address of the site; sections that need one are skipped without."""
        assert self.options.address is not None, "a section that needs an address is skipped without"  # noqa: S101
        return self.options.address

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the doctor's one event loop: a store's or a layer's connections belong to their loop."""
        return self._runner.run(work)

    def close(self) -> None:
        """Close the connections of the store, and the event loop."""
        self.own_store.close()
        self._runner.close()

    def path_to(self, path: str) -> str:
        """Return a path of the site as browsers have to request it: below the address, if it does not say so itself."""
        prefix = self.address.prefix
        return path if path == prefix or path.startswith(f"{prefix}/") else prefix + path

    @cached_property
    def page_path(self) -> str:
        """The path of the page that is loaded, as browsers request it.

        Without `--path` it is the start page; where a site has none, the page with the user's own sessions.
        """
        if self.options.path is not None:
            return self.path_to(self.options.path)
        start = self.path_to("/")
        try:
            is_missing = self.request(start, headers=NAVIGATION).status == NOT_FOUND
        except NoAnswer:
            is_missing = False
        return self.path_to(reverse("idlewatch:sessions")) if is_missing else start

    def request(
        self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """Send a request without a session; `path` as browsers request it. Raises `NoAnswer`."""
        assert self.client is not None, "there is an address"  # noqa: S101
        return self.client.request(path, method=method, headers=headers, body=body)

    def request_as(
        self,
        probe: Probe,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        cookies: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send a request with the cookie of a probe, and further `cookies`. Raises `NoAnswer`, `CookieWithheld`."""
        self._require_trust()
        assert self.client is not None, "there is an address"  # noqa: S101
        sent = {**probe.cookies, **(cookies or {})}
        self.secrets.update(sent[name] for name in probe.cookies)
        return self.client.request(path, method=method, headers=headers, cookies=sent, body=body)

    def request_with(
        self, cookies: Mapping[str, str], path: str, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request with cookies that the site has set, of which none is a session's. Raises as `request_as`."""
        self._require_trust()
        assert self.client is not None, "there is an address"  # noqa: S101
        sent = {name: value for name, value in cookies.items() if name != conf.session_cookie_name}
        return self.client.request(path, headers=headers, cookies=sent)

    def socket(self, path: str, *, origin: str | None) -> AbstractContextManager[TabSocket]:
        """Open a socket without a session. Raises as `open_socket` does."""
        assert self.client is not None, "there is an address"  # noqa: S101
        return open_socket(self.client, path, origin=origin)

    @property
    def socket_path(self) -> str:
        """The path of a tab's socket, as browsers request it."""
        return self.path_to(below_script_name(TAB_PATH))

    @cached_property
    def why_no_socket(self) -> str | None:
        """What came of a tab's handshake without a session, from the site's own origin; None if that succeeded."""
        try:
            with self.socket(self.socket_path, origin=self.address.origin):
                return None
        except NoAnswer as error:
            return str(error)

    def socket_as(self, probe: Probe, path: str, *, origin: str | None = None) -> AbstractContextManager[TabSocket]:
        """Open a socket with the cookie of a probe, by default from the site's own origin."""
        self._require_trust()
        assert self.client is not None, "there is an address"  # noqa: S101
        return open_socket(self.client, path, origin=origin or self.address.origin, cookies=probe.cookies)

    @contextmanager
    def probe(self, *, idle_timeout: float = LONG_IDLE_TIMEOUT, warn_before: float = LONG_WARNING) -> Iterator[Probe]:
        """Begin a probe with these limits, in seconds, and end it."""
        self._require_trust()
        assert self.options.user is not None, "sections that need an account are skipped without"  # noqa: S101
        policy: Policy = probes.limits(idle_timeout=min(idle_timeout, PROBE_LIFETIME), warn_before=warn_before)
        with probes.probing(self.options.user, policy, self.read_time) as probe:
            self.secrets.update(probe.cookies.values())
            yield probe

    def read_time(self) -> float:
        """Return the time by the site's clock, by which probes are judged: none must live for longer there."""
        reported = [each.clock_ahead for each in self.answered if each.report is not None]
        ahead = median(reported) if reported else 0.0
        return now() + (ahead if abs(ahead) >= MIN_SKEW else 0.0)

    @cached_property
    def answered(self) -> Sequence[Answered]:
        """What came of the challenges, which were sent at once."""
        if self.client is None:
            return ()
        if self.diagnosis_path is None:
            return (self.challenge(),)
        answered = list[Answered]()
        # Each has a connection of its own: to several threads of one process, or to several processes.
        threads = [Thread(target=self._add_answer, args=(answered,), daemon=True) for _ in range(CHALLENGES)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answered

    def _add_answer(self, answered: list[Answered]) -> None:
        try:
            answered.append(self.challenge())
        except Exception as error:  # noqa: BLE001 - a thread's error would be seen by no section
            answered.append(Answered(None, f"{type(error).__name__} in the doctor", {}))

    @cached_property
    def usual_delay(self) -> float:
        """How many seconds an answer to a challenge takes; 0 where none came."""
        delays = [each.answer.elapsed for each in self.answered if each.answer is not None]
        return median(delays) if delays else 0.0

    @cached_property
    def reports(self) -> Mapping[str, SelfReport]:
        """The latest report of each process that answered, by its name."""
        found = {each.report.process: each.report for each in self.answered if each.report is not None}
        until = time.monotonic() + START_TIMEOUT
        while any(report.is_starting for report in found.values()) and time.monotonic() < until:
            self.note_progress("Waiting for the first round of a timer …")
            time.sleep(CHALLENGE_INTERVAL)
            report = self.challenge().report
            if report is not None:
                found[report.process] = report
        return found

    @cached_property
    def differing_settings(self) -> Collection[str]:
        """The settings that all processes which answered have otherwise than this command: it looks at other parts.

        None where they digest them by another key: it is not known which differ then.
        """
        here, theirs = settings_digests(), [report.settings for report in self.reports.values()]
        differing = {name for name in here if theirs and all(each.get(name) != here[name] for each in theirs)}
        return () if len(differing) == len(here) else differing

    @cached_property
    def diagnosis_path(self) -> str | None:
        """The path at which the site answers challenges, as browsers request it; None if it has no such URL."""
        # Asked for in the main thread: script name and language are those of a thread.
        try:
            return self.path_to(reverse("idlewatch:diagnosis"))
        except NoReverseMatch:
            return None

    def challenge(self, headers: Mapping[str, str] | None = None) -> Answered:
        """Challenge the site, with further headers, and return what came."""
        if self.diagnosis_path is None:
            return Answered(None, "the project's URLs do not include those of idlewatch", {})
        assert self.client is not None, "there is an address"  # noqa: S101
        return send_challenge(self.client, self.diagnosis_path, headers)

    @cached_property
    def why_unreached(self) -> str | None:
        """Why nothing can be tried at the address; None if the site answers there."""
        if self.options.address is None:
            return "no site answers here; start it, or give its address with --url"
        return None if self.reports else "the site has not answered the challenge"

    @property
    def why_no_probe(self) -> str | None:
        """Why nothing is tried with a session; None if it can be."""
        if self.why_unreached is not None:
            return self.why_unreached
        if self.options.user is None:
            return self.options.accounts_failure or "give --user NAME, an account with no rights"
        return self.why_no_cookie or self.why_no_session

    @cached_property
    def why_no_cookie(self) -> str | None:
        """Why no session cookie is sent to the address; None if one may be."""
        why = why_no_cookie(self.address)
        if why is not None:
            return why
        if not self.reports:
            return f"nothing at {self.address.origin} has answered a challenge that is signed with the site's key"
        # Another site of the same ALLOWED_HOSTS may pass the challenge on to this one, by its own name.
        hosts = {str(report.host) for report in self.reports.values()}
        others = sorted(host for host in hosts if split_domain_port(host.lower())[0] != self.address.host)
        return f"the site that answers at {self.address.host} takes its host to be {others[0]}" if others else None

    def _require_trust(self) -> None:
        if self.why_no_cookie is not None:
            raise CookieWithheld(self.why_no_cookie)
