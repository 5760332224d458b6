from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings as project

NONCE = "<CSP_NONCE_SENTINEL>"
SENDER = "csp.middleware.CSPMiddleware"


@pytest.mark.parametrize(
    ("url", "hosts", "expected"),
    [
        ("/static/", ["shop.example"], []),
        ("https://cdn.example/static/", ["shop.example"], ["W023"]),
        ("https://cdn.example/static/", ["*"], ["W023"]),
        ("//cdn.example/", ["shop.example"], ["W023"]),
        ("https://shop.example/static/", ["shop.example"], []),
        ("https://www.shop.example:8443/static/", [".shop.example"], []),
    ],
)
def test_static_files_of_another_origin_are_found(found, url: str, hosts: list[str], expected: list[str]):
    messages = found(STATIC_URL=url, ALLOWED_HOSTS=hosts)
    assert sorted(messages) == expected
    assert all("Access-Control-Allow-Origin" in str(message.hint) for message in messages.values())


@pytest.mark.parametrize(
    ("directives", "blocked"),
    [
        ({"default-src": ["'self'"]}, []),
        ({}, []),
        ({"default-src": ["'none'"]}, ["script-src", "style-src", "connect-src"]),
        ({"default-src": ["'self'"], "script-src": [NONCE, "'strict-dynamic'"]}, []),
        ({"default-src": ["'self'"], "script-src": ["'self'", "'strict-dynamic'"]}, ["script-src"]),
        ({"default-src": ["'self'"], "script-src": ["'unsafe-inline'"]}, ["script-src"]),
        ({"default-src": ["'self'"], "script-src": ["https://cdn.example"]}, []),
        ({"default-src": ["'self'"], "connect-src": [NONCE, "'none'"]}, ["connect-src"]),
        ({"default-src": None, "style-src": "'self'"}, []),
        ({"default-src": ["'self'"], "script-src-elem": ["'none'"]}, ["script-src-elem"]),
        ({"script-src": ["'none'"], "script-src-elem": ["'self'"], "style-src-elem": [NONCE]}, []),
    ],
)
def test_policy_that_blocks_the_client_is_found(found, run, directives: dict[str, Any], blocked: list[str]):
    policy = {"CONTENT_SECURITY_POLICY": {"DIRECTIVES": directives}}
    assert found(**policy) == {}, "no middleware sends it"
    messages = run(**policy, MIDDLEWARE=[SENDER, *project.MIDDLEWARE])
    assert [message.id for message in messages] == ["idlewatch.W037"] * len(blocked)
    for message, directive in zip(messages, blocked, strict=True):
        assert directive in message.msg
