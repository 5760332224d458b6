"""Answers of a site to the doctor, made up for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPMessage, responses
from typing import Any

from idlewatch.doctor.clients.browsing import Stop, Visit
from idlewatch.doctor.clients.http_client import Answer

ORIGIN = "https://example.com"
CONFIG = {
    "socket": "/ws/idlewatch/tab/",
    "state": "/idlewatch/state/",
    "message": "/idlewatch/message/",
    "page": "/idlewatch/page/",
    "logout": "/idlewatch/logout/",
    "csrf": "masked",
    "token": "user-sign_in",
}
"""Of a client's configuration, what the doctor looks at."""
SCRIPT = '<script type="module" async src="/static/idlewatch/idlewatch.min.js"></script>'
STYLESHEET = '<link rel="stylesheet" href="/static/idlewatch/idlewatch.min.css">'


def answer(
    status: int = 200,
    body: str | Mapping[str, Any] = "",
    *headers: tuple[str, str],
    path: str = "/",
) -> Answer:
    """Return an answer; a mapping as body is JSON."""
    message, is_json = HTTPMessage(), isinstance(body, Mapping)
    if "Content-Type" not in dict(headers):
        message["Content-Type"] = "application/json" if is_json else "text/html; charset=utf-8"
    for name, value in headers:
        message[name] = value
    content = json.dumps(body) if is_json else body
    return Answer(ORIGIN + path, status, responses[status], message, str(content).encode(), 0.01)


def redirect(to: str, *headers: tuple[str, str], path: str = "/", status: int = 302) -> Answer:
    """Return an answer that redirects."""
    return answer(status, "", ("Location", to), *headers, path=path)


def visit(*answers: Answer, stop: Stop | None = None, prefix: str = "") -> Visit:
    """Return what came of loading a page."""
    return Visit(answers, stop, prefix)


def client(
    config: Mapping[str, Any] | str = CONFIG, *, script: str = SCRIPT, stylesheet: str = STYLESHEET, **more: Any
) -> str:
    """Return what the tag renders for a user."""
    text = config if isinstance(config, str) else json.dumps({**config, **more})
    escaped = text.replace("&", "&amp;").replace('"', "&quot;")
    return f'<template id="idlewatch-client" data-config="{escaped}">{stylesheet}<dialog></dialog></template>{script}'


def page(*parts: str, head: str = "") -> str:
    """Return a page with these parts in its body."""
    return f"<!doctype html><html><head><title>A page</title>{head}</head><body>{''.join(parts)}</body></html>"
