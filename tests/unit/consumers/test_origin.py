from __future__ import annotations

from typing import Any

import pytest

from idlewatch.consumers.origin import is_same_origin, request_of
from tests.support.sockets import Tab

pytestmark = pytest.mark.rule("R21")


@pytest.fixture(autouse=True)
def site(settings: Any) -> Any:
    settings.ALLOWED_HOSTS = ["example.com", ".example.org", "[::1]"]
    return settings


def own(*origins: str, host: str | None = "example.com", scheme: str | None = None, **headers: str) -> bool:
    """Return whether a handshake with these headers is of the same origin."""
    sent = [] if host is None else [(b"host", host.encode())]
    sent += [(b"origin", origin.encode()) for origin in origins]
    sent += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "websocket", "path": "/ws/idlewatch/tab/", "query_string": b"", "headers": sent}
    return is_same_origin(request_of(scope | ({} if scheme is None else {"scheme": scheme})))


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://example.com", "example.com"),
        ("http://example.com:8000", "example.com:8000"),
        ("http://a.example.org", "a.example.org"),
        ("http://[::1]:8000", "[::1]:8000"),
    ],
)
def test_the_sites_own_pages_may_connect(origin: str, host: str):
    assert own(origin, host=host)


REFUSED = {
    "null": "null",
    "empty": "",
    "another scheme": "https://example.com",
    "the socket's scheme": "ws://example.com",
    "the default port, written out": "http://example.com:80",
    "another host": "http://example.net",
    "a host below": "http://a.example.com",
    "a host that ends alike": "http://evilexample.com",
    "a user in front": "http://user@example.com",
    "the site as user": "http://example.com@evil.net",
    "a path": "http://example.com/",
    "a fragment of the site": "http://evil.net#example.com",
    "a backslash": "http://evil.net\\example.com",
    "two in one": "http://example.com, http://example.com",
    "no scheme": "example.com",
    "no scheme but slashes": "//example.com",
    "an extension": "chrome-extension://abcdefghijklmnop",
    "a bad port": "http://example.com:port",
    "no letters": "\x00",
    "a look-alike": "http://ex\u0430mple.com",
}


@pytest.mark.parametrize("origin", REFUSED.values(), ids=REFUSED)
def test_any_other_origin_is_refused(origin: str):
    assert not own(origin)


def test_no_origin_and_two_are_refused_though_one_is_right():
    assert not own()
    assert not own("http://example.com", "http://evil.net")
    assert not own("http://evil.net", "http://example.com")
    assert not own("http://example.com", "http://example.com")


@pytest.mark.parametrize("host", ["evil.net", None, "", "example.com@evil.net", "example.com:port"])
def test_a_host_that_is_not_allowed_is_refused(host: str | None):
    assert not own(f"http://{host}", host=host)
    assert not own("http://example.com", host=host)


@pytest.mark.parametrize(("scheme", "origin"), [("ws", "http"), ("wss", "https"), ("http", "http"), ("https", "https")])
def test_a_server_that_tells_the_scheme_is_believed(scheme: str, origin: str):
    assert own(f"{origin}://example.com", scheme=scheme)
    other = {"http": "https", "https": "http"}[origin]
    assert not own(f"{other}://example.com", scheme=scheme)


class TestTrusted:
    @pytest.fixture(autouse=True)
    def trusted(self, site: Any) -> None:
        site.CSRF_TRUSTED_ORIGINS = ["https://app.example.net", "https://*.trusted.net", "http://other.net:8080"]

    @pytest.mark.parametrize(
        "origin",
        [
            "https://app.example.net",
            "https://a.trusted.net",
            "https://a.b.trusted.net",
            "https://trusted.net",
            "http://other.net:8080",
            "http://example.com",
        ],
    )
    def test_what_the_site_trusts_may_connect(self, origin: str):
        assert own(origin)

    @pytest.mark.parametrize(
        "origin",
        [
            "http://app.example.net",
            "https://app.example.net:8443",
            "http://a.trusted.net",
            "https://eviltrusted.net",
            "https://a.trusted.net.evil.net",
            "null",
            "",
            "https://evil.net\\.trusted.net",
            "https://evil.net?.trusted.net",
            "https://evil.net#.trusted.net",
            "https://evil.net/.trusted.net",
            "https://evil.net:pw@a.trusted.net",
            "https://evil.net .trusted.net",
            "https://evil.net,https://a.trusted.net",
        ],
    )
    def test_and_nothing_else(self, origin: str):
        assert not own(origin)


class TestBehindAProxy:
    def test_the_proxy_tells_the_scheme_where_the_setting_says_so(self, site: Any):
        assert not own("https://example.com", x_forwarded_proto="https")
        site.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
        assert own("https://example.com", x_forwarded_proto="https")
        assert not own("http://example.com", x_forwarded_proto="https")
        assert own("http://example.com", x_forwarded_proto="http")
        assert not own("https://example.com", x_forwarded_proto="http")

    def test_the_proxy_may_tell_the_scheme_of_the_socket_as_traefik_does(self, site: Any):
        site.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
        for told, scheme, other in (("wss", "https", "http"), ("ws", "http", "https"), ("wss, http", "https", "http")):
            assert own(f"{scheme}://example.com", x_forwarded_proto=told)
            assert not own(f"{other}://example.com", x_forwarded_proto=told)
        assert not own("https://example.com", x_forwarded_proto="wssx")

    def test_the_proxy_tells_the_host_where_the_setting_says_so(self, site: Any):
        assert not own("http://a.example.org", host="example.com", x_forwarded_host="a.example.org")
        site.USE_X_FORWARDED_HOST = True
        assert own("http://example.com", host="inner:8000", x_forwarded_host="example.com")
        assert not own("http://inner:8000", host="inner:8000", x_forwarded_host="example.com")


@pytest.mark.parametrize(
    ("origin", "host"), [(None, "example.com"), ("http://evil.net", "example.com"), ("http://evil.net", "evil.net")]
)
async def test_a_handshake_is_refused_before_anything_is_looked_up(origin: str | None, host: str):
    assert not await Tab("any", origin=origin, host=host).is_accepted()


@pytest.mark.django_db(transaction=True)
async def test_a_handshake_of_the_site_is_accepted():
    assert await Tab(origin="http://example.com", host="example.com").is_accepted()


class TestLog:
    """A page of the site itself that is refused falls back to HTTP without a word."""

    def refusals(self, caplog: pytest.LogCaptureFixture) -> list[str]:
        return [each.getMessage() for each in caplog.records if "was refused" in each.getMessage()]

    @pytest.mark.parametrize(
        ("host", "headers"),
        [("example.com", {}), ("example.com:8000", {}), ("inner:8000", {"x_forwarded_host": "example.com"})],
    )
    def test_says_once_what_the_proxy_does_not_pass_on(
        self, caplog: pytest.LogCaptureFixture, host: str, headers: dict[str, str]
    ):
        for _ in range(2):
            assert not own("https://example.com", host=host, **headers)
        (message,) = self.refusals(caplog)
        assert f"https://example.com was refused, because the site's own origin is http://{host}" in message

    def test_says_once_that_a_page_came_without_an_origin(self, caplog: pytest.LogCaptureFixture):
        scope = {"type": "websocket", "path": "/ws/idlewatch/tab/", "headers": [(b"host", b"example.com")]}
        for query in (b"", b"for=a-b", b"for=a-b"):
            assert not is_same_origin(request_of(scope | {"query_string": query}))
        (message,) = self.refusals(caplog)
        assert "no header Origin" in message

    @pytest.mark.parametrize("host", ["example.com", "[", None])
    def test_has_nothing_to_say_of_other_sites(self, caplog: pytest.LogCaptureFixture, host: str | None):
        assert not own("http://evil.net", host=host)
        assert not own("http://[::::]", host=host)
        assert self.refusals(caplog) == []
