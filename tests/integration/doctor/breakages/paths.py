"""Sites below a path, and cookies of other paths and domains."""

from __future__ import annotations

from idlewatch.doctor.findings import Trial
from tests.integration.doctor.breakage import EVERYTHING_WITH_A_SESSION, PATH, Base, Breakage

PASS = f"location {PATH}/ {{\n    proxy_pass http://idlewatch;"
SOCKETS = f"location {PATH}/ws/ {{"
ROOT_PATH = f"proxy_set_header Daphne-Root-Path {PATH};"
HEADERS = """
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;"""
"""nginx inherits none where a location sets one."""


BREAKAGES = [
    Breakage(
        name="a path that is cut off and not told",
        base=Base.BELOW,
        nginx={PASS: PASS.replace(";", "/;")},
        settings=lambda _: {"FORCE_SCRIPT_NAME": None},
        faults={Trial.SUB_PATH: "FORCE_SCRIPT_NAME"},
        consequences=EVERYTHING_WITH_A_SESSION,
    ),
    Breakage(
        name="sockets that are passed on at the root alone",
        base=Base.BELOW,
        nginx={SOCKETS: "location /ws/ {", PASS: f"location {PATH}/ws/ {{ return 404; }}\n{PASS}"},
        faults={Trial.HANDSHAKE: "404"},
    ),
    Breakage(
        name="a relative STATIC_URL, and a request past the proxy first",
        base=Base.BELOW,
        nginx={
            PASS: PASS.replace(";", "/;") + f"\n    {ROOT_PATH}{HEADERS}",
            SOCKETS: f"{SOCKETS}\n    rewrite ^{PATH}(/.*)$ $1 break;\n    {ROOT_PATH}{HEADERS}",
        },
        settings=lambda _: {"FORCE_SCRIPT_NAME": None, "STATIC_URL": "static/"},
        faults={Trial.SCRIPT: "STATIC_URL", Trial.STYLESHEET: "STATIC_URL"},
    ),
    Breakage(
        name="a cookie of another domain",
        base=Base.ALONE,
        settings=lambda _: {"SESSION_COOKIE_DOMAIN": "example.org"},
        faults={Trial.SESSION_COOKIE: "SESSION_COOKIE_DOMAIN"},
        consequences=frozenset({Trial.DELETED_COOKIE}),
    ),
    Breakage(
        name="a cookie of another path",
        base=Base.ALONE,
        settings=lambda _: {"SESSION_COOKIE_PATH": "/portal/"},
        faults={Trial.SESSION_COOKIE: "SESSION_COOKIE_PATH"},
        warnings={Trial.CHECKS: "W035"},
        consequences=frozenset({Trial.DELETED_COOKIE}),
    ),
    Breakage(
        name="a cookie with the prefix __Host- below a path",
        base=Base.BELOW,
        settings=lambda _: {"SESSION_COOKIE_NAME": "__Host-sessionid"},
        faults={Trial.SESSION_COOKIE: "__Host-"},
    ),
    Breakage(
        name="a cookie with the prefix __Secure- over plain HTTP",
        base=Base.ALONE,
        settings=lambda _: {"SESSION_COOKIE_NAME": "__Secure-sessionid"},
        faults={Trial.SESSION_COOKIE: "__Secure-"},
    ),
]
