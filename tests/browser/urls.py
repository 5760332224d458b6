"""The project's addresses, and pages of every kind that a browser may go to."""

from __future__ import annotations

import json
import time

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path

from project.urls import urlpatterns as project_urls
from tests.integration.server.urls import notify_sessions, watch_id


@login_required
def page(request: HttpRequest, kind: str, name: str) -> HttpResponse:
    """Show one of the pages below `templates/`."""
    return render(request, f"{kind}/{name}.html", {"notice": request.GET.get("notice")})


@login_required
def answer(request: HttpRequest) -> HttpResponse:
    """Answer a script."""
    return HttpResponse("<b>answered</b>")


@login_required
def slow(request: HttpRequest) -> HttpResponse:
    """Take longer over a form than the session would last."""
    time.sleep(6)
    return HttpResponse("<h1>Saved</h1>")


@login_required
def received(request: HttpRequest) -> HttpResponse:
    """Show what a form sent."""
    body = json.dumps(dict(request.POST.lists()), ensure_ascii=False)
    return HttpResponse(body, content_type="text/plain; charset=utf-8")


@login_required
def blocked(request: HttpRequest) -> HttpResponse:
    """Show a page whose policy allows none of its scripts."""
    policy = {"Content-Security-Policy": "default-src 'self'; script-src 'none'"}
    return HttpResponse(render(request, "played/page.html").content, headers=policy)


urlpatterns = [
    path("blocked/", blocked),
    path("journey/answer/", answer),
    path("journey/slow/", slow),
    path("drafts/sent/", received),
    *(path(f"{kind}/<slug:name>/", page, {"kind": kind}) for kind in ("drafts", "journey", "played")),
    path("notify/", notify_sessions),
    path("watch-id/", watch_id),
    path("life/", include("tests.browser.life")),
    *project_urls,
]
