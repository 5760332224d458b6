"""What is wrong with pages, their policies and the views that lead to them."""

from __future__ import annotations

from typing import Any

from idlewatch.doctor.findings import Trial
from tests.integration.doctor.breakage import Base, Breakage

WITHOUT = """\
<!doctype html><html lang="en"><head><title>{% block title %}{% endblock %}</title>{% block head %}{% endblock %}</head>
<body><main>{% block content %}{% endblock %}</main></body></html>
"""
TWICE = """\
{% load idlewatch %}<!doctype html><html lang="en"><head><title>{% block title %}{% endblock %}</title></head>
<body><main>{% block content %}{% endblock %}</main>{% idlewatch %}{% idlewatch %}</body></html>
"""


def _policy(**directives: list[str]) -> Any:
    return lambda _: {
        "CONTENT_SECURITY_POLICY": {
            "DIRECTIVES": {
                "default-src": ["'self'"],
                **{name.replace("_", "-"): each for name, each in directives.items()},
            }
        }
    }


def _after_ours(name: str) -> Any:
    return lambda right: {"MIDDLEWARE": [*right["MIDDLEWARE"], name]}


def _first(name: str) -> Any:
    return lambda right: {"MIDDLEWARE": [name, *right["MIDDLEWARE"]]}


BREAKAGES = [
    Breakage(
        name="the client is missing from the template",
        base=Base.ALONE,
        templates={"project/base.html": WITHOUT},
        faults={Trial.CLIENT: "{% idlewatch %}"},
        warnings={Trial.NOTICE: "{% idlewatch %}"},
    ),
    Breakage(
        name="the client is in the page twice",
        base=Base.ALONE,
        templates={"project/base.html": TWICE},
        faults={Trial.CLIENT: "2"},
    ),
    Breakage(
        name="a middleware compresses the admin's pages before they are completed",
        base=Base.ALONE,
        settings=_after_ours("django.middleware.gzip.GZipMiddleware"),
        urls="tests.integration.doctor.urls.plain_admin",
        faults={Trial.ADMIN_PAGE: "GZip"},
    ),
    Breakage(
        name="a policy that blocks the script",
        base=Base.ALONE,
        settings=_policy(script_src=["https://cdn.example"]),
        faults={Trial.POLICY_SCRIPT: "script-src"},
    ),
    Breakage(
        name="a policy with strict-dynamic and no nonce",
        base=Base.ALONE,
        settings=_policy(script_src=["'self'", "'strict-dynamic'"]),
        faults={Trial.POLICY_SCRIPT: "nonce"},
        warnings={Trial.CHECKS: "W037"},
    ),
    Breakage(
        name="a policy that blocks the stylesheet",
        base=Base.ALONE,
        settings=_policy(style_src=["https://cdn.example"]),
        faults={Trial.POLICY_STYLE: "style-src"},
    ),
    Breakage(
        name="a policy that blocks the socket",
        base=Base.ALONE,
        settings=_policy(connect_src=["https://api.example"]),
        faults={Trial.POLICY_SOCKET: "connect-src"},
    ),
    Breakage(
        name="a login view that redirects the signed-in",
        base=Base.ALONE,
        urls="tests.integration.doctor.urls.redirecting_login",
        faults={Trial.LOGIN_VIEW: "next"},
    ),
    Breakage(
        name="a login view that redirects the signed-in to a page that sends them back",
        base=Base.ALONE,
        urls="tests.integration.doctor.urls.looping_login",
        options=("--path", "/staff/"),
        faults={Trial.PAGE: "loop of redirects"},
    ),
    Breakage(
        name="a cache of whole pages in the project",
        base=Base.ALONE,
        settings=_first("tests.integration.doctor.parts.caching_pages"),
        faults={Trial.PAGE_CACHE: "cache"},
    ),
    Breakage(
        name="a middleware that lets shared caches keep pages",
        base=Base.ALONE,
        settings=_first("tests.integration.doctor.parts.making_public"),
        faults={Trial.CACHE_HEADERS: "public"},
    ),
    Breakage(
        name="a login page that asks for a sign-in",
        base=Base.ALONE,
        settings=_after_ours("tests.integration.doctor.parts.asking_for_a_sign_in"),
        faults={Trial.VISITOR_PAGE: "LOGIN_URL"},
        consequences=frozenset({Trial.LOGIN_VIEW, Trial.NOTICE}),
    ),
]
