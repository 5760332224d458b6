"""What is said of a proxy, by the report of a process on a request as it arrived."""

from __future__ import annotations

from typing import Any

import pytest

from idlewatch.doctor.address import parse_address
from idlewatch.doctor.clients.connection import Route
from idlewatch.doctor.findings import Flaw
from idlewatch.doctor.network.forwarding import (
    FORGED_ADDRESS,
    FORGED_HEADERS,
    Paths,
    address_flaw,
    host_flaw,
    is_believed,
    origin_flaw,
    paths_for,
    scheme_flaw,
    sub_path_flaw,
)
from idlewatch.http.client_ip import forwarded, x_forwarded_for, x_forwarded_for_2, x_forwarded_for_3
from tests.support.examined import report

SITE = parse_address("https://example.com:8443/")
SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
PUBLIC, OFFICE = "93.184.215.14", Route(own="192.168.1.5", peer="93.184.216.34")


def text_of(flaw: Flaw | None) -> str:
    assert flaw is not None, "nothing was found"
    return f"{flaw.came} {flaw.hint}"


class TestScheme:
    def test_is_right_where_it_is_that_of_the_address(self):
        assert scheme_flaw(report(scheme="https"), SITE) is None
        assert scheme_flaw(report(scheme="http"), parse_address("http://a.example/")) is None

    def test_is_not_passed_on_and_would_not_be_believed(self, settings: Any):
        settings.SECURE_PROXY_SSL_HEADER = None
        text = text_of(scheme_flaw(report(scheme="http"), SITE))
        assert "no X-Forwarded-Proto" in text
        assert "proxy_set_header X-Forwarded-Proto $scheme;" in text
        assert "SECURE_PROXY_SSL_HEADER" in text

    def test_is_not_passed_on_and_would_be_believed(self, settings: Any):
        settings.SECURE_PROXY_SSL_HEADER = SSL_HEADER
        text = text_of(scheme_flaw(report(scheme="http"), SITE))
        assert "does not pass on the scheme" in text
        assert "SECURE_PROXY_SSL_HEADER" not in text

    def test_is_passed_on_and_not_believed(self, settings: Any):
        settings.SECURE_PROXY_SSL_HEADER = None
        text = text_of(scheme_flaw(report(scheme="http", forwarded={"X-Forwarded-Proto": "https"}), SITE))
        assert "Django ignores it: set SECURE_PROXY_SSL_HEADER" in text

    def test_is_overwritten_by_an_inner_proxy(self, settings: Any):
        settings.SECURE_PROXY_SSL_HEADER = SSL_HEADER
        text = text_of(scheme_flaw(report(scheme="http", forwarded={"X-Forwarded-Proto": "http"}), SITE))
        assert "overwrites" in text

    def test_comes_twice(self, settings: Any):
        settings.SECURE_PROXY_SSL_HEADER = SSL_HEADER
        text = text_of(scheme_flaw(report(scheme="http", forwarded={"X-Forwarded-Proto": "https, https"}), SITE))
        assert "one value" in text

    def test_is_expected_in_another_header(self, settings: Any):
        settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_SCHEME", "https")
        text = text_of(scheme_flaw(report(scheme="http", forwarded={"X-Forwarded-Proto": "https"}), SITE))
        assert "HTTP_X_SCHEME" in text

    def test_is_taken_for_https_where_there_is_none(self):
        flaw = scheme_flaw(report(scheme="https"), parse_address("http://a.example/"))
        assert "takes plain http for https" in text_of(flaw)


class TestHost:
    @pytest.mark.parametrize("host", ["example.com:8443", "Example.com:8443"])
    def test_is_right_where_it_is_that_of_the_address(self, host: str):
        assert host_flaw(report(host=host), SITE) is None

    def test_lost_its_port(self):
        text = text_of(host_flaw(report(host="example.com"), SITE))
        assert "port is lost or added" in text
        assert "$http_host" in text

    def test_has_a_port_that_users_do_not_have(self):
        assert "port" in text_of(host_flaw(report(host="example.com:8001"), parse_address("https://example.com/")))

    def test_lost_its_port_in_brackets(self):
        assert "port is lost or added" in text_of(host_flaw(report(host="[::1]"), parse_address("http://[::1]:8000/")))

    def test_is_that_of_the_upstream(self):
        text = text_of(host_flaw(report(host="127.0.0.1:8001"), SITE))
        assert text.startswith("127.0.0.1:8001 ")
        assert "proxy_set_header Host $http_host;" in text

    def test_is_passed_on_in_another_header(self, settings: Any):
        settings.USE_X_FORWARDED_HOST = False
        there = report(host="127.0.0.1:8001", forwarded={"X-Forwarded-Host": "example.com:8443"})
        assert "USE_X_FORWARDED_HOST = True" in text_of(host_flaw(there, SITE))

    def test_is_a_wrong_one_in_another_header(self, settings: Any):
        settings.USE_X_FORWARDED_HOST = True
        there = report(host="inner", forwarded={"X-Forwarded-Host": "inner"})
        assert "X-Forwarded-Host: inner" in text_of(host_flaw(there, SITE))

    def test_is_none_that_is_allowed(self):
        assert "ALLOWED_HOSTS" in text_of(host_flaw(report(host=None), SITE))


class TestOrigin:
    FLAW = Flaw("http", "Set it.")

    @pytest.mark.parametrize(
        "trusted", ["https://example.com:8443", "https://*.com:8443", "https://*.example.com:8443"]
    )
    def test_that_is_trusted_makes_a_fault_unwise(self, trusted: str, settings: Any):
        settings.CSRF_TRUSTED_ORIGINS = ["https://other.example", trusted]
        flaw = origin_flaw(self.FLAW, SITE)
        assert flaw is not None
        assert not flaw.is_fatal
        assert flaw.hint.endswith("Set it.")

    @pytest.mark.parametrize("trusted", ["http://example.com:8443", "https://example.com", "https://*.ample.com:8443"])
    def test_that_is_not_trusted_leaves_it_a_fault(self, trusted: str, settings: Any):
        settings.CSRF_TRUSTED_ORIGINS = [trusted]
        assert origin_flaw(self.FLAW, SITE) is self.FLAW
        assert origin_flaw(None, SITE) is None


class TestSubPath:
    @pytest.mark.parametrize(
        ("reached", "diagnosis", "state", "script_name", "expected"),
        [
            ("/i/diagnosis/", "/i/diagnosis/", "/i/state/", "", Paths("/i/state/", "/ws/idlewatch/tab/")),
            ("/app/i/diagnosis/", "/i/diagnosis/", "/i/state/", "", Paths("/app/i/state/", "/app/ws/idlewatch/tab/")),
            (
                "/app/i/diagnosis/",
                "/app/i/diagnosis/",
                "/app/i/state/",
                "/app",
                Paths("/app/i/state/", "/app/ws/idlewatch/tab/"),
            ),
            (
                "/app/app/diagnosis/",
                "/app/diagnosis/",
                "/app/state/",
                "",
                Paths("/app/app/state/", "/app/ws/idlewatch/tab/"),
            ),
        ],
    )
    def test_is_where_the_site_was_reached(
        self, reached: str, diagnosis: str, state: str, script_name: str, expected: Paths
    ):
        assert paths_for(reached, diagnosis, state, script_name) == expected

    def test_is_right_where_pages_name_that(self):
        assert sub_path_flaw(report(), Paths("/idlewatch/state/", "/ws/idlewatch/tab/")) is None

    def test_is_not_known_to_the_site(self):
        text = text_of(sub_path_flaw(report(), Paths("/app/idlewatch/state/", "/app/ws/idlewatch/tab/")))
        assert "pages name /idlewatch/state/ and /ws/idlewatch/tab/" in text
        assert "set FORCE_SCRIPT_NAME" in text

    def test_is_there_twice(self):
        there = report(state_url="/app/app/idlewatch/state/", socket_url="/app/app/ws/idlewatch/tab/")
        assert "twice" in text_of(sub_path_flaw(there, Paths("/app/idlewatch/state/", "/app/ws/idlewatch/tab/")))


class TestAddress:
    @pytest.mark.parametrize(
        ("seen", "forwarded", "route"),
        [
            ("127.0.0.1", {}, Route("127.0.0.1", "127.0.0.1")),
            (
                "127.0.0.1",
                {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https"},
                Route("127.0.0.1", "127.0.0.1"),
            ),
            ("192.168.1.5", {}, Route("192.168.1.5", "192.168.1.9")),
            # Behind NAT, the site sees another address than the machine has.
            (PUBLIC, {}, OFFICE),
            (PUBLIC, {"X-Forwarded-For": f"{PUBLIC}, 10.0.0.1"}, OFFICE),
            (PUBLIC, {"Forwarded": f'for={PUBLIC};proto=https, for="[2001:db8::1]:80"'}, OFFICE),
            (PUBLIC, {"X-Real-IP": PUBLIC}, OFFICE),
            (PUBLIC, {"X-Forwarded-For": f"{PUBLIC}:4711"}, OFFICE),
            (f"::ffff:{PUBLIC}", {"X-Forwarded-For": PUBLIC}, OFFICE),
            ("2a00::1", {"X-Forwarded-For": "unknown, [2A00:0::1]:4711"}, OFFICE),
            ("2a00::1", {"Forwarded": 'For="[2a00::1]"'}, OFFICE),
            (PUBLIC, {"X-Forwarded-For": PUBLIC}, None),
        ],
    )
    def test_is_right_where_it_is_that_of_the_client(self, seen: str, forwarded: dict[str, str], route: Route | None):
        assert address_flaw(report(address=seen, forwarded=forwarded), route) is None

    @pytest.mark.parametrize(
        "forwarded", [{"X-Forwarded-For": PUBLIC}, {"Forwarded": f"for={PUBLIC}"}, {"X-Real-IP": PUBLIC}]
    )
    def test_is_that_of_the_proxy(self, forwarded: dict[str, str]):
        for seen, route in (("10.0.0.1", OFFICE), ("127.0.0.1", Route("127.0.0.1", "127.0.0.1"))):
            text = text_of(address_flaw(report(address=seen, forwarded=forwarded), route))
            assert f"{seen}, with {PUBLIC}" in text
            assert "set IDLEWATCH['CLIENT_IP']" in text

    @pytest.mark.parametrize(
        "forwarded", [{"X-Forwarded-Proto": "https"}, {"X-Forwarded-For": "unknown"}, {"Via": "1.1 a"}]
    )
    @pytest.mark.parametrize("route", [OFFICE, Route("10.0.0.1", "10.0.0.1")])
    def test_is_not_passed_on_by_a_proxy(self, forwarded: dict[str, str], route: Route):
        there = report(address="10.0.0.1", forwarded=forwarded)
        assert "does not pass on the address" in text_of(address_flaw(there, route))

    def test_is_passed_on_in_a_header_of_the_proxys_own(self, settings: Any):
        settings.IDLEWATCH = {"CLIENT_IP": "idlewatch.http.client_ip.x_forwarded_for"}
        assert address_flaw(report(address=PUBLIC, forwarded={"X-Forwarded-Proto": "https"}), OFFICE) is None

    def test_is_that_of_a_bridge(self):
        assert "172.17.0.1, which is no public address" in text_of(address_flaw(report(address="172.17.0.1"), OFFICE))

    @pytest.mark.parametrize(("forwarded", "is_fatal"), [({}, True), ({"X-Forwarded-For": "172.17.0.1"}, False)])
    def test_of_a_bridge_may_be_this_machines(self, forwarded: dict[str, str], is_fatal: bool):
        flaw = address_flaw(report(address="172.17.0.1", forwarded=forwarded), OFFICE)
        assert flaw is not None
        assert flaw.is_fatal is is_fatal

    @pytest.mark.parametrize("seen", ["", None])
    def test_is_missing(self, seen: str | None):
        assert "CLIENT_IP" in text_of(address_flaw(report(address=seen), OFFICE))


class TestForgedAddress:
    """The headers are what a site counts on whose number of proxies is too high by one."""

    def behind(self, *proxies: str) -> dict[str, Any]:
        names = ", ".join([FORGED_HEADERS["X-Forwarded-For"], *proxies])
        elements = ", ".join([FORGED_HEADERS["Forwarded"], *(f"for={proxy}" for proxy in proxies)])
        return {"headers": [(b"x-forwarded-for", names.encode()), (b"forwarded", elements.encode())]}

    def test_is_not_believed_with_the_right_number_of_proxies(self):
        assert x_forwarded_for(self.behind(PUBLIC)) == PUBLIC
        assert x_forwarded_for_2(self.behind(PUBLIC, "10.0.0.1")) == PUBLIC
        assert forwarded(self.behind(PUBLIC)) == PUBLIC

    def test_is_believed_with_too_many(self):
        assert x_forwarded_for(self.behind()) == FORGED_ADDRESS
        assert x_forwarded_for_2(self.behind(PUBLIC)) == FORGED_ADDRESS
        assert x_forwarded_for_3(self.behind(PUBLIC)) == FORGED_ADDRESS
        assert forwarded(self.behind()) == FORGED_ADDRESS

    def test_is_told_by_what_the_site_sees(self):
        assert is_believed(report(address=FORGED_ADDRESS))
        assert not is_believed(report(address=PUBLIC))
