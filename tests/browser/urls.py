"""The project's addresses, and pages of every kind that a browser may go to."""

from __future__ import annotations

import time

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path

from project.urls import urlpatterns as project_urls


@login_required
def page(request: HttpRequest, name: str) -> HttpResponse:
    """Show one of the pages below `templates/journey`."""
    return render(request, f"journey/{name}.html")


@login_required
def looks(request: HttpRequest, name: str) -> HttpResponse:
    """Show one of the pages below `templates/looks`."""
    return render(request, f"looks/{name}.html", {"notice": request.GET.get("notice")})


@login_required
def answer(request: HttpRequest) -> HttpResponse:
    """Answer a script."""
    return HttpResponse("<b>answered</b>")


@login_required
def download(request: HttpRequest) -> HttpResponse:
    """Offer a file."""
    return HttpResponse("data", headers={"Content-Disposition": "attachment; filename=data.txt"})


@login_required
def slow(request: HttpRequest) -> HttpResponse:
    """Take longer over a form than the session would last."""
    time.sleep(6)
    return HttpResponse("<h1>Saved</h1>")


urlpatterns = [
    path("journey/answer/", answer),
    path("journey/download/", download),
    path("journey/slow/", slow),
    path("journey/<slug:name>/", page),
    path("looks/<slug:name>/", looks),
    path("life/", include("tests.browser.life")),
    *project_urls,
]
