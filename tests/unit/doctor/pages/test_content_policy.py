"""What a Content-Security-Policy lets the client do."""

from __future__ import annotations

import pytest

from idlewatch.doctor.pages.content_policy import ContentPolicy, Need, Resource, Why, parse_policies

PAGE = "https://example.com/portal/"
SCRIPT = "https://example.com/static/idlewatch/idlewatch.min.js"
CDN_SCRIPT = "https://cdn.example.net/v2/idlewatch/idlewatch.min.js"
STYLE = "https://example.com/static/idlewatch/idlewatch.min.css"
SOCKET = "wss://example.com/ws/idlewatch/tab/"
LOGOUT = "https://example.com/idlewatch/logout/"


def why(policy: str, resource: Resource, page: str = PAGE) -> Why | None:
    (parsed,) = parse_policies(policy)
    refusal = parsed.refusal_of(resource, page)
    return None if refusal is None else refusal.why


def script(url: str = SCRIPT, nonce: str = "") -> Resource:
    return Resource(Need.SCRIPT, url, nonce)


@pytest.mark.parametrize(
    ("policy", "nonce", "expected"),
    [
        ("img-src 'none'", "", None),
        ("default-src 'self'", "", None),
        ("default-src 'none'", "", Why.NOT_NAMED),
        ("default-src", "", Why.NOT_NAMED),
        ("default-src 'none'; script-src 'self'", "", None),
        ("default-src 'self'; script-src 'none'", "", Why.NOT_NAMED),
        ("script-src 'none'; script-src-elem 'self'", "", None),
        ("script-src 'self'; script-src-elem 'none'", "", Why.NOT_NAMED),
        ("script-src 'none'; script-src 'self'", "", Why.NOT_NAMED),
        ("SCRIPT-SRC 'SELF'", "", None),
        ("script-src 'unsafe-inline'", "", Why.NOT_NAMED),
        ("script-src 'unsafe-eval' 'report-sample'", "", Why.NOT_NAMED),
        ("script-src 'sha256-7bKzNS5cZ1LlF5sVEKcuHnGg4+ep0xxPhNrdCfrkTIY='", "", Why.NOT_NAMED),
        ("script-src 'nonce-abc'", "abc", None),
        ("script-src 'NONCE-abc'", "abc", None),
        ("script-src 'nonce-abc'", "ABC", Why.OTHER_NONCE),
        ("script-src 'nonce-abc'", "", Why.NOT_NAMED),
        ("script-src 'nonce-abc' 'self'", "old", None),
        ("script-src 'nonce-abc' 'nonce-def'", "def", None),
        ("script-src 'nonce-abc' 'strict-dynamic'", "abc", None),
        ("script-src 'nonce-abc' 'strict-dynamic'", "old", Why.OTHER_NONCE),
        ("script-src 'nonce-abc' 'strict-dynamic' 'self' https:", "", Why.NO_NONCE),
        ("script-src 'strict-dynamic' 'self'", "", Why.NO_NONCE),
        ("script-src 'strict-dynamic' 'self'", "abc", Why.NO_NONCE),
        ("default-src 'nonce-abc'", "abc", None),
        ("script-src 'nonce-'", "", Why.NOT_NAMED),
    ],
)
def test_a_script_of_the_site(policy: str, nonce: str, expected: Why | None):
    assert why(policy, script(nonce=nonce)) is expected


@pytest.mark.parametrize(
    ("source", "url", "allowed"),
    [
        ("*", CDN_SCRIPT, True),
        ("https:", CDN_SCRIPT, True),
        ("http:", CDN_SCRIPT, True),
        ("https:", "http://example.com/a.js", False),
        ("data:", CDN_SCRIPT, False),
        ("cdn.example.net", CDN_SCRIPT, True),
        ("CDN.example.NET", CDN_SCRIPT, True),
        ("https://cdn.example.net", CDN_SCRIPT, True),
        ("http://cdn.example.net", CDN_SCRIPT, True),
        ("https://cdn.example.net", "http://cdn.example.net/a.js", False),
        ("cdn.example.net", "http://cdn.example.net/a.js", False),
        ("*.example.net", CDN_SCRIPT, True),
        ("*.example.net", "https://example.net/a.js", False),
        ("*.example.net", "https://badexample.net/a.js", False),
        ("example.net", CDN_SCRIPT, False),
        ("https://*", CDN_SCRIPT, True),
        ("https://*:8443", CDN_SCRIPT, False),
        ("https://*:8443", "https://cdn.example.net:8443/a.js", True),
        ("cdn.example.net:443", CDN_SCRIPT, True),
        ("cdn.example.net:*", "https://cdn.example.net:8443/a.js", True),
        ("cdn.example.net", "https://cdn.example.net:8443/a.js", False),
        ("cdn.example.net:8443", CDN_SCRIPT, False),
        ("http://cdn.example.net:80", CDN_SCRIPT, True),
        ("https://cdn.example.net/", CDN_SCRIPT, True),
        ("https://cdn.example.net/v2/", CDN_SCRIPT, True),
        ("https://cdn.example.net/v2", CDN_SCRIPT, False),
        ("https://cdn.example.net/v1/", CDN_SCRIPT, False),
        ("cdn.example.net/v2/idlewatch/idlewatch.min.js", CDN_SCRIPT, True),
        ("cdn.example.net/v2/idlewatch/idlewatch%2Emin.js", CDN_SCRIPT, True),
        ("cdn.example.net/V2/", CDN_SCRIPT, False),
        ("https://cdn.example.net/v2/idlewatch/idlewatch.min.js/x", CDN_SCRIPT, False),
        ("'self'", CDN_SCRIPT, False),
        ("'self'", "https://example.com:8443/a.js", False),
        ("'self'", "http://example.com/a.js", False),
        ("127.0.0.1", "https://127.0.0.1/a.js", True),
        ("[::1]:8443", "https://[::1]:8443/a.js", True),
    ],
)
def test_a_source(source: str, url: str, allowed: bool):
    assert why(f"script-src {source}", script(url)) is (None if allowed else Why.NOT_NAMED)


@pytest.mark.parametrize(
    ("policy", "page", "url", "allowed"),
    [
        ("connect-src 'self'", PAGE, SOCKET, True),
        ("default-src 'self'", PAGE, SOCKET, True),
        ("connect-src 'self'", "http://example.com/", "ws://example.com/ws/", True),
        ("connect-src 'self'", "http://127.0.0.1:8000/", "ws://127.0.0.1:8000/ws/", True),
        ("connect-src 'self'", "http://127.0.0.1:8000/", "ws://127.0.0.1:8001/ws/", False),
        ("connect-src 'self'", "http://example.com/", "wss://example.com/ws/", True),
        ("connect-src 'self'", PAGE, "ws://example.com/ws/", False),
        ("connect-src 'self'", PAGE, "wss://sockets.example.com/ws/", False),
        ("connect-src 'none'", PAGE, SOCKET, False),
        ("connect-src *", PAGE, SOCKET, True),
        ("connect-src wss:", PAGE, SOCKET, True),
        ("connect-src ws:", PAGE, SOCKET, True),
        ("connect-src https:", PAGE, SOCKET, False),
        ("connect-src wss://example.com", PAGE, SOCKET, True),
        ("connect-src ws://example.com", PAGE, SOCKET, True),
        ("connect-src https://example.com", PAGE, SOCKET, False),
        ("connect-src example.com", PAGE, SOCKET, False),
        ("connect-src *:*", PAGE, SOCKET, False),
        ("connect-src wss://*:443/ws/", PAGE, SOCKET, True),
        ("connect-src 'nonce-abc'", PAGE, SOCKET, False),
        ("script-src 'none'", PAGE, SOCKET, True),
    ],
)
def test_a_socket(policy: str, page: str, url: str, allowed: bool):
    assert why(policy, Resource(Need.CONNECTION, url), page) is (None if allowed else Why.NOT_NAMED)


@pytest.mark.parametrize(
    ("policy", "nonce", "expected"),
    [
        ("style-src 'self'", "", None),
        ("style-src 'nonce-abc'", "abc", None),
        ("style-src 'nonce-abc'", "old", Why.OTHER_NONCE),
        ("style-src 'unsafe-inline'", "", Why.NOT_NAMED),
        ("style-src 'none'; style-src-elem 'self'", "", None),
        ("style-src 'self'; style-src-attr 'none'", "", None),
        ("default-src 'strict-dynamic' 'self'", "", None),
        ("default-src 'none'; script-src 'self'", "", Why.NOT_NAMED),
    ],
)
def test_a_stylesheet(policy: str, nonce: str, expected: Why | None):
    assert why(policy, Resource(Need.STYLE, STYLE, nonce)) is expected


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [("default-src 'none'", True), ("form-action 'none'", False), ("form-action 'self'", True)],
)
def test_a_form(policy: str, allowed: bool):
    assert why(policy, Resource(Need.FORM, LOGOUT)) is (None if allowed else Why.NOT_NAMED)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("", Why.SANDBOX),
        ("allow-scripts", Why.SANDBOX),
        ("allow-same-origin", Why.SANDBOX),
        ("allow-scripts allow-same-origin", None),
        ("Allow-Scripts ALLOW-same-origin allow-forms", None),
    ],
)
def test_a_sandbox(flags: str, expected: Why | None):
    assert why(f"sandbox {flags}", script()) is expected


def test_a_sandbox_counts_only_in_a_header_that_is_enforced():
    sandboxed = {"sandbox": ()}
    assert ContentPolicy(sandboxed).refusal_of(script(), PAGE) is not None
    assert ContentPolicy(sandboxed, is_enforced=False).refusal_of(script(), PAGE) is None
    assert ContentPolicy(sandboxed, is_meta=True).refusal_of(script(), PAGE) is None


def test_a_header_may_have_several_policies():
    policies = list(parse_policies("default-src 'self'; img-src *, script-src 'none' ,, ;"))
    assert [dict(policy.directives) for policy in policies] == [
        {"default-src": ["'self'"], "img-src": ["*"]},
        {"script-src": ["'none'"]},
    ]


def test_a_refusal_names_the_directive_without_the_nonce():
    (policy,) = parse_policies("default-src 'self'; script-src 'nonce-c2VjcmV0' https://cdn.example.net")
    refusal = policy.refusal_of(script(nonce="b2xk"), PAGE)
    assert refusal == ("script-src 'nonce-…' https://cdn.example.net", Why.OTHER_NONCE)
