"""Whether browsers keep the cookies of a site."""

from __future__ import annotations

from typing import Any

import pytest

from idlewatch.doctor.address import parse_address
from idlewatch.doctor.network.cookies import Cookie, cookie_of, flaws_of

RIGHT = Cookie("SESSION_COOKIE", "sessionid", None, "/", True, "Lax")
SITE, LOOPBACK, PLAIN = "https://www.example.com/", "http://127.0.0.1:8000/", "http://www.example.com/"


def judged(url: str, **changes: Any) -> list[tuple[str, bool]]:
    return [(flaw.came + flaw.hint, flaw.is_fatal) for flaw in flaws_of(RIGHT._replace(**changes), parse_address(url))]


@pytest.mark.parametrize(
    ("url", "changes"),
    [
        (SITE, {}),
        (SITE, {"domain": "example.com"}),
        (SITE, {"domain": ".Example.com"}),
        (SITE, {"domain": "www.example.com"}),
        (SITE, {"samesite": "None"}),
        (SITE, {"samesite": None}),
        (SITE, {"name": "__Host-sessionid"}),
        (SITE, {"name": "__Secure-sessionid", "domain": "example.com", "path": "/"}),
        (f"{SITE}portal/", {}),
        (f"{SITE}portal/", {"path": "/portal"}),
        (f"{SITE}portal/", {"path": "/portal/"}),
        # Browsers trust this machine.
        (LOOPBACK, {}),
        (LOOPBACK, {"name": "__Host-sessionid"}),
        (LOOPBACK, {"secure": False}),
        (LOOPBACK, {"domain": "127.0.0.1"}),
        ("http://localhost:8000/", {"domain": "localhost"}),
    ],
)
def test_nothing_is_wrong_with_a_cookie_that_fits(url: str, changes: dict[str, Any]):
    assert judged(url, **changes) == []


@pytest.mark.parametrize(
    ("url", "changes", "words"),
    [
        (SITE, {"domain": "example.org"}, "SESSION_COOKIE_DOMAIN is 'example.org', the host is 'www.example.com'"),
        (SITE, {"domain": "ample.com"}, "SESSION_COOKIE_DOMAIN"),
        (SITE, {"domain": "a.www.example.com"}, "SESSION_COOKIE_DOMAIN"),
        (SITE, {"domain": "com"}, "top-level domain"),
        (LOOPBACK, {"domain": "0.0.1"}, "SESSION_COOKIE_DOMAIN"),
        (LOOPBACK, {"domain": "localhost"}, "SESSION_COOKIE_DOMAIN"),
        (SITE, {"path": "/portal/"}, "SESSION_COOKIE_PATH is '/portal/', the site lies at '/'"),
        (f"{SITE}portals/", {"path": "/portal"}, "SESSION_COOKIE_PATH"),
        (f"{SITE}portal/", {"path": "/portal/app/"}, "SESSION_COOKIE_PATH"),
        (PLAIN, {}, "SESSION_COOKIE_SECURE is True, and the address is plain http"),
        (SITE, {"secure": False, "samesite": "None"}, "SESSION_COOKIE_SAMESITE is 'None'"),
        (SITE, {"name": "__Host-a", "domain": "www.example.com"}, "__Host-"),
        (f"{SITE}portal/", {"name": "__Host-a", "path": "/portal/"}, "__Host-"),
        (LOOPBACK, {"name": "__Secure-a", "secure": False}, "SESSION_COOKIE_SECURE is False"),
        (LOOPBACK, {"name": "__host-a", "secure": False}, "SESSION_COOKIE_SECURE is False"),
    ],
)
def test_a_cookie_that_browsers_do_not_keep_or_send_is_named(url: str, changes: dict[str, Any], words: str):
    [(text, is_fatal)] = judged(url, **changes)
    assert words in text
    assert is_fatal


@pytest.mark.parametrize("url", [SITE, PLAIN])
def test_a_cookie_that_can_be_read_on_the_way_is_unwise(url: str):
    [(text, is_fatal)] = judged(url, secure=False)
    assert "SESSION_COOKIE_SECURE = True" in text
    assert not is_fatal


def test_a_cookie_is_read_from_its_settings(settings: Any):
    settings.CSRF_COOKIE_NAME, settings.CSRF_COOKIE_DOMAIN = "token", ""
    settings.CSRF_COOKIE_PATH, settings.CSRF_COOKIE_SECURE, settings.CSRF_COOKIE_SAMESITE = "/a/", True, False
    assert cookie_of("CSRF_COOKIE") == Cookie("CSRF_COOKIE", "token", None, "/a/", True, None)
