"""The proxy section, over the site of the tests and made-up sockets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import User
from msgspec.structs import replace

from idlewatch.doctor.clients.connection import NoAnswer
from idlewatch.doctor.clients.socket_client import Closed, Refused
from idlewatch.doctor.findings import Finding, Outcome, Trial
from idlewatch.doctor.network import idle_socket
from idlewatch.doctor.network.forwarding import FORGED_ADDRESS
from idlewatch.doctor.sections import proxy
from idlewatch.doctor.site import Options, Site
from tests.support.django_side import site_at
from tests.support.examined import IN_TIME, of, outcomes

pytestmark = pytest.mark.django_db
OK, WARNING, FAULT, SKIPPED = Outcome.OK, Outcome.WARNING, Outcome.FAULT, Outcome.SKIPPED
URL = "http://127.0.0.1:8000/"
ENDED, ACTIVE = {"type": "state", "phase": "ended"}, {"type": "state", "phase": "active"}
QUIET = {"type": "nothing until something is sent"}
NO_SESSION = (ENDED, Closed(4401, ""))
Received = Mapping[str, Any] | Exception


class Socket:
    """A socket that receives what a test says, and then nothing."""

    def __init__(self, *received: Received) -> None:
        self.received = list(received)
        self.sent: list[Mapping[str, Any]] = []

    def receive(self, timeout: float) -> Mapping[str, Any]:
        if self.received[:1] == [QUIET] and not self.sent:
            time.sleep(timeout)
            raise TimeoutError
        came = self.received.pop(0) if self.received else TimeoutError()
        if isinstance(came, Exception):
            raise came
        return came

    def receive_phase(self, phase: str, timeout: float) -> Mapping[str, Any]:
        while (frame := self.receive(timeout)).get("phase") != phase:
            pass
        return frame

    def send(self, message: Mapping[str, Any]) -> None:
        self.sent.append(message)


class Sockets:
    """What comes of the handshakes with a site: of those without a session, and of those with one."""

    def __init__(self) -> None:
        self.without: Socket | Exception = Socket(*NO_SESSION)
        self.with_session: Socket | Exception = Socket(ACTIVE, QUIET, ACTIVE)
        self.asked: list[tuple[str, str | None]] = []

    @contextmanager
    def open(self, path: str, *, origin: str | None) -> Iterator[Any]:
        self.asked.append((path, origin))
        yield self.answer(self.without)

    @contextmanager
    def open_as(self, probe: Any, path: str, *, origin: str | None = None) -> Iterator[Any]:
        yield self.answer(self.with_session)

    def answer(self, came: Socket | Exception) -> Socket:
        if isinstance(came, Exception):
            raise came
        return came


@pytest.fixture
def sockets() -> Sockets:
    return Sockets()


@pytest.fixture
def examine(sockets: Sockets, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Examine the site at an address; `changes` are in each of its reports."""
    sites = list[Site]()

    def examine(
        url: str = URL, options: Options | None = None, changes: Mapping[str, Any] | None = None, **proxied: Any
    ) -> Sequence[Finding]:
        site = site_at(url, options, **proxied)
        sites.append(site)
        changed = {"timer": IN_TIME, "interface": "asgi", **(changes or {})}
        vars(site)["reports"] = {
            each.report.process: replace(each.report, **changed) for each in site.answered if each.report
        }
        monkeypatch.setattr(site, "socket", sockets.open)
        monkeypatch.setattr(site, "socket_as", sockets.open_as)
        return list(proxy.examine(site))

    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.IDLEWATCH = {"CLIENT_IP": "idlewatch.http.client_ip.x_forwarded_for"}
    yield examine
    for site in sites:
        site.close()


def examine_behind_nginx(examine: Callable[..., Any], url: str = "https://localhost/", **proxied: Any) -> Any:
    right = {"X_Forwarded_Proto": "https"} | ({} if "appended" in proxied else {"X_Forwarded_For": "127.0.0.1"})
    return examine(url, **{**right, **proxied})


def faults(findings: Sequence[Finding]) -> set[Trial]:
    return {trial for trial, outcome in outcomes(findings).items() if outcome is FAULT}


def test_nothing_is_wrong_without_a_proxy(examine: Any):
    findings = examine()
    assert faults(findings) == set()
    skipped = {finding.trial for finding in findings if finding.outcome is SKIPPED}
    assert skipped == {Trial.FORGED_ADDRESS, Trial.IDLE_SOCKET}


def test_nothing_is_wrong_behind_a_right_proxy(examine: Any, sockets: Sockets):
    findings = examine_behind_nginx(examine)
    assert {finding.trial for finding in findings if finding.outcome is not OK} == {Trial.IDLE_SOCKET}
    assert sockets.asked == [("/ws/idlewatch/tab/", "https://localhost")]


def test_all_is_skipped_where_nothing_answers(monkeypatch: Any):
    site = site_at(URL)

    def refuse(*_: Any, **__: Any) -> None:
        raise NoAnswer("nothing listens at 127.0.0.1:8000")

    monkeypatch.setattr(site.client, "request", refuse)
    came = outcomes(proxy.examine(site))
    site.close()
    assert set(came.values()) == {SKIPPED}
    assert came.keys() == proxy.WITH_SITE.keys()


def test_all_is_skipped_without_an_address():
    site = Site(Options())
    assert set(outcomes(proxy.examine(site)).values()) == {SKIPPED}
    site.close()


class TestWhatIsPassedOn:
    def test_no_scheme(self, examine: Any):
        assert faults(examine_behind_nginx(examine, X_Forwarded_Proto=None)) == {Trial.SCHEME}

    def test_no_scheme_to_a_site_that_redirects(self, examine: Any, settings: Any):
        settings.SECURE_SSL_REDIRECT = True
        findings = examine_behind_nginx(examine, X_Forwarded_Proto=None)
        assert faults(findings) == {Trial.SCHEME}
        assert "301 Moved Permanently to https://localhost/idlewatch/" in of(findings, Trial.SCHEME).came
        assert outcomes(findings)[Trial.HANDSHAKE] is SKIPPED

    def test_another_host(self, examine: Any):
        assert faults(examine_behind_nginx(examine, Host="127.0.0.1:8001")) == {Trial.HOST}

    def test_another_host_that_is_refused(self, examine: Any):
        findings = examine_behind_nginx(examine, Host="idlewatch")
        assert faults(findings) == {Trial.HOST}
        assert "400 Bad Request" in of(findings, Trial.HOST).came

    def test_a_path_that_the_site_does_not_know(self, examine: Any):
        findings = examine(changes={"state_url": "/app/app/idlewatch/state/"})
        assert faults(findings) == {Trial.SUB_PATH}

    def test_no_address(self, examine: Any, settings: Any):
        settings.IDLEWATCH = {}
        findings = examine_behind_nginx(examine, X_Forwarded_For="93.184.215.14")
        assert faults(findings) == {Trial.CLIENT_ADDRESS}


class TestForgedAddress:
    def test_is_not_believed_behind_as_many_proxies_as_are_counted(self, examine: Any):
        findings = examine_behind_nginx(examine, appended="127.0.0.1")
        assert faults(findings) == set()
        assert of(findings, Trial.FORGED_ADDRESS).came == "the site sees 127.0.0.1"

    def test_is_believed_by_a_site_that_counts_too_many(self, examine: Any, settings: Any):
        settings.IDLEWATCH = {"CLIENT_IP": "idlewatch.http.client_ip.x_forwarded_for_2"}
        findings = examine_behind_nginx(examine, appended="127.0.0.1")
        assert faults(findings) == {Trial.FORGED_ADDRESS}
        assert "counts more proxies" in of(findings, Trial.FORGED_ADDRESS).hint

    def test_is_believed_by_a_server_that_takes_the_first(self, examine: Any, settings: Any, monkeypatch: Any):
        site_challenge = Site.challenge

        def replacing(site: Site, headers: Mapping[str, str] | None = None) -> Any:
            came = site_challenge(site, headers)
            seen = FORGED_ADDRESS if headers else "127.0.0.1"
            return came._replace(report=came.report and replace(came.report, peer=seen, address=seen))

        monkeypatch.setattr(Site, "challenge", replacing)
        found = of(examine_behind_nginx(examine), Trial.FORGED_ADDRESS)
        assert found.outcome is FAULT
        assert "overwrite that header" in found.hint

    def test_is_not_tried_where_a_firewall_refuses_it(self, examine: Any, monkeypatch: Any):
        site_challenge = Site.challenge

        def refusing(site: Site, headers: Mapping[str, str] | None = None) -> Any:
            came = site_challenge(site, headers)
            return came._replace(report=None, came="403 Forbidden") if headers else came

        monkeypatch.setattr(Site, "challenge", refusing)
        found = of(examine_behind_nginx(examine), Trial.FORGED_ADDRESS)
        assert (found.outcome, found.came) == (SKIPPED, "not tried: such a request gets 403 Forbidden")


class TestHandshake:
    @pytest.mark.parametrize("status", [400, 404, 426, 502, 200])
    def test_is_not_passed_on(self, status: int, examine: Any, sockets: Sockets):
        sockets.without = Refused(status, "reason")
        found = of(examine(), Trial.HANDSHAKE)
        assert (found.outcome, found.came) == (FAULT, f"{status} reason")
        assert "headers Upgrade and Connection" in found.hint
        assert "HTTP/1.1" in found.hint

    def test_does_not_answer(self, examine: Any, sockets: Sockets):
        sockets.without = NoAnswer("no answer from a within 10 s")
        found = of(examine(), Trial.HANDSHAKE)
        assert (found.outcome, found.came) == (FAULT, "no answer from a within 10 s")

    def test_is_redirected(self, examine: Any, sockets: Sockets):
        sockets.without = Refused(302, "Found to /login/")
        assert "follow no redirect" in of(examine(), Trial.HANDSHAKE).hint

    def test_is_a_consequence_of_a_wrong_origin(self, examine: Any, sockets: Sockets):
        sockets.without = Refused(403, "Forbidden")
        findings = examine_behind_nginx(examine, X_Forwarded_Proto=None)
        assert faults(findings) == {Trial.SCHEME}
        assert "to the site its own is http://localhost" in of(findings, Trial.HANDSHAKE).came

    def test_is_refused_though_the_origin_is_right(self, examine: Any, sockets: Sockets):
        sockets.without = Refused(403, "Forbidden")
        assert "OriginValidator" in of(examine(), Trial.HANDSHAKE).hint

    @pytest.mark.parametrize(("origin", "words"), [("http://inner", "as http://inner"), (None, "without it")])
    def test_is_refused_since_the_proxy_changes_the_origin(
        self, origin: str | None, words: str, examine: Any, sockets: Sockets
    ):
        sockets.without = Refused(403, "Forbidden")
        assert words in of(examine_behind_nginx(examine, Origin=origin), Trial.HANDSHAKE).hint

    def test_under_wsgi_is_a_warning(self, examine: Any, sockets: Sockets):
        sockets.without = Refused(404, "Not Found")
        found = of(examine(changes={"interface": "wsgi", "timer": None}), Trial.HANDSHAKE)
        assert found.outcome is WARNING
        assert "pages use HTTP" in found.hint

    def test_with_an_application_that_is_not_wrapped_is_a_consequence(self, examine: Any, sockets: Sockets):
        sockets.without = Refused(500, "Internal Server Error")
        found = of(examine(changes={"timer": None}), Trial.HANDSHAKE)
        assert found.outcome is SKIPPED
        assert "see timer" in found.came

    def test_with_a_router_that_knows_no_sockets(self, examine: Any, sockets: Sockets):
        sockets.without = Refused(500, "Internal Server Error")
        assert "make watched(…) the outermost one" in of(examine(), Trial.HANDSHAKE).hint

    @pytest.mark.parametrize(
        ("received", "came"),
        [
            ((), "101, and no frame within 5 s"),
            ((Closed(4503, "going away"),), "101, then closed with 4503 going away"),
            ((Closed(None, ""),), "101, then closed with no close frame before a frame"),
            ((NoAnswer("a frame came that is no JSON object"),), "101, then a frame came that is no JSON object"),
            ((ENDED,), "101 and an ended frame, and no close within 5 s"),
            ((ENDED, Closed(None, "")), "101, an ended frame, then closed with no close frame"),
            ((ENDED, Closed(1011, "")), "101, an ended frame, then closed with 1011"),
            ((ENDED, NoAnswer("what?")), "101, an ended frame, then what?"),
        ],
    )
    def test_is_followed_by_something_else(
        self, received: tuple[Received, ...], came: str, examine: Any, sockets: Sockets
    ):
        sockets.without = Socket(*received)
        found = of(examine(), Trial.HANDSHAKE)
        assert (found.outcome, found.came) == (FAULT, came)
        assert found.hint


class TestIdleSocket:
    @pytest.fixture
    def waiting(self, monkeypatch: pytest.MonkeyPatch) -> Options:
        """Leave a socket alone, for less time than a test notices."""
        monkeypatch.setattr(Site, "why_no_cookie", None)
        return Options(user=User.objects.create(username="probe"), idle=0.05)

    def test_is_not_tried_unless_asked_for(self, examine: Any):
        assert "give --idle 70" in of(examine(), Trial.IDLE_SOCKET).came

    def test_is_not_tried_without_an_account(self, examine: Any):
        assert "--user" in of(examine(URL, Options(idle=70)), Trial.IDLE_SOCKET).came

    def test_is_not_tried_where_no_cookie_may_go(self, examine: Any, settings: Any):
        settings.ALLOWED_HOSTS = ["*"]
        found = of(examine(URL, Options(idle=70, user=User())), Trial.IDLE_SOCKET)
        assert found.outcome is SKIPPED
        assert "ALLOWED_HOSTS" in found.came

    def test_stays_open(self, waiting: Options, examine: Any, sockets: Sockets):
        found = of(examine(URL, waiting), Trial.IDLE_SOCKET)
        assert found.outcome is OK
        assert isinstance(sockets.with_session, Socket)
        assert sockets.with_session.sent == [{"type": "sync"}]

    @pytest.mark.parametrize(
        ("received", "came"),
        [
            ((ACTIVE, Closed(None, "")), "cut off after 0 s: closed with no close frame"),
            ((ACTIVE,), "open, and no answer within 5 s"),
        ],
    )
    def test_is_cut_off(
        self, received: tuple[Received, ...], came: str, waiting: Options, examine: Any, sockets: Sockets
    ):
        sockets.with_session = Socket(*received)
        found = of(examine(URL, waiting), Trial.IDLE_SOCKET)
        assert (found.outcome, found.came) == (FAULT, came)
        assert "proxy_read_timeout" in found.hint

    def test_is_not_tried_where_none_opens(self, waiting: Options, examine: Any, sockets: Sockets):
        sockets.with_session = Refused(403, "Forbidden")
        assert of(examine(URL, waiting), Trial.IDLE_SOCKET).outcome is SKIPPED
        sockets.with_session = Socket()
        assert "no frame came" in of(examine(URL, waiting), Trial.IDLE_SOCKET).came

    def test_is_shown_as_it_waits(self, waiting: Options, sockets: Sockets, monkeypatch: Any):
        told = list[str]()
        site = site_at(URL, waiting)
        site.note_progress = told.append
        assert idle_socket._leave_alone(site, Socket(), 0.05) == "open, and no answer within 5 s"  # type: ignore[arg-type]
        site.close()
        assert told[0] == "A socket is left alone, 0 s left"
