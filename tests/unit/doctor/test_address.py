"""Where the doctor sends requests, and where a session cookie may go."""

from __future__ import annotations

from typing import Any

import pytest

from idlewatch.doctor.address import Address, parse_address, why_no_cookie

SITE = parse_address("https://example.com/portal/")


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://example.com", Address("https", "example.com", 443, "")),
        ("http://EXAMPLE.com:80/", Address("http", "example.com", 80, "")),
        ("https://example.com/portal/", Address("https", "example.com", 443, "/portal")),
        ("http://[0:0:0:0:0:0:0:1]:8000/", Address("http", "[::1]", 8000, "")),
        ("https://Bücher.example/", Address("https", "xn--bcher-kva.example", 443, "")),
        ("https://example.com./", Address("https", "example.com.", 443, "")),
    ],
)
def test_an_address_is_read_as_browsers_read_it(url: str, address: Address):
    assert parse_address(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "example.com",
        "ftp://example.com/",
        "https://",
        "https://ann:secret@example.com/",
        "https://:secret@example.com/",
        "https://@example.com/",
        "htps://ann:secret@example.com/",
        "https://ann:secret@[::1/",
        "https://example.com/?a=secret",
        "https://example.com/#secret",
        "https://example.com:99999/",
        "https://example.com:0/",
        "https://example.com//evil.example/",
        "https://example.com/\\evil.example/",
        "https://example.com/ /",
        "https://example.com/\r\nX: y",
        "https://a..b/",
    ],
)
def test_what_is_no_address_is_refused_without_showing_a_secret(url: str):
    with pytest.raises(ValueError, match=r"expected one like https://example\.com/") as raised:
        parse_address(url)
    assert "secret" not in str(raised.value)


def test_the_origin_has_a_port_where_it_is_not_the_usual_one():
    assert SITE.origin == "https://example.com"
    assert parse_address("https://example.com:8443/").origin == "https://example.com:8443"
    assert parse_address("http://[::1]:8000/").netloc == "[::1]:8000"


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("/a/?b=1", "/a/?b=1"),
        ("", "/"),
        ("https://example.com/a/", "/a/"),
        ("HTTPS://EXAMPLE.COM:443/a/#b", "/a/"),
        ("https://example.com", "/"),
    ],
)
def test_a_url_of_the_origin_has_a_target(url: str, target: str):
    assert SITE.target(url) == target
    assert SITE.has(url)


@pytest.mark.parametrize(
    "url",
    [
        "//evil.example/",
        "https://evil.example/",
        "http://example.com/",
        "https://example.com:8443/",
        "https://example.com.evil.example/",
        "https://example.com@evil.example/",
        "https://ann@example.com/",
        "https://example.com\\@evil.example/",
        "https://example.com:99999/",
        "https://[::1/",
        "javascript:alert(1)",
    ],
)
def test_a_url_of_another_origin_has_none(url: str):
    assert SITE.target(url) is None
    assert not SITE.has(url)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "[::1]", "localhost", "a.localhost"])
def test_loopback_is_known_by_its_name(host: str):
    assert parse_address(f"http://{host}/").is_loopback


@pytest.mark.parametrize(
    "host",
    ["example.com", "localhost.", "localhost.example.com", "127.0.0.1.example", "notlocalhost", "10.0.0.1", "127.1"],
)
def test_other_names_are_not_loopback_wherever_they_lead(host: str):
    assert not parse_address(f"http://{host}/").is_loopback


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://example.com/", ["example.com"]),
        ("https://www.example.com/", [".example.com"]),
        ("http://127.0.0.1:8000/", ["127.0.0.1"]),
        ("http://[::1]:8000/", ["*", "[::1]"]),
    ],
)
def test_a_cookie_may_go_to_a_host_that_is_named_over_tls_or_to_this_machine(
    url: str, allowed: list[str], settings: Any
):
    settings.ALLOWED_HOSTS = allowed
    assert why_no_cookie(parse_address(url)) is None


@pytest.mark.parametrize(
    ("url", "allowed", "why"),
    [
        ("https://example.com/", ["*"], "ALLOWED_HOSTS"),
        ("https://evil.example/", ["example.com"], "ALLOWED_HOSTS"),
        ("https://example.com.evil.example/", [".example.com"], "ALLOWED_HOSTS"),
        ("https://notexample.com/", [".example.com"], "ALLOWED_HOSTS"),
        ("https://example.com./", ["example.com"], "ALLOWED_HOSTS"),
        ("http://127.0.0.1/", [], "ALLOWED_HOSTS"),
        ("http://example.com/", ["example.com"], "neither https nor"),
        ("http://localhost.example.com/", ["localhost.example.com"], "neither https nor"),
        ("http://10.0.0.1/", ["10.0.0.1"], "neither https nor"),
        ("http://127.1/", ["127.1"], "neither https nor"),
    ],
)
def test_a_cookie_may_not_go_anywhere_else(url: str, allowed: list[str], why: str, settings: Any):
    settings.ALLOWED_HOSTS = allowed
    assert why in (why_no_cookie(parse_address(url)) or "")


def test_in_debug_without_allowed_hosts_a_cookie_may_go_to_this_machine_alone(settings: Any):
    settings.DEBUG, settings.ALLOWED_HOSTS = True, []
    assert why_no_cookie(parse_address("http://localhost:8000/")) is None
    assert why_no_cookie(parse_address("https://example.com/")) is not None
