"""Pages with forms that are kept, and where they are sent."""

from __future__ import annotations

import json

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from project.urls import urlpatterns as project_urls


@login_required
def page(request: HttpRequest, name: str) -> HttpResponse:
    """Show one of the pages below `templates/drafts`."""
    return render(request, f"drafts/{name}.html")


@login_required
def sent(request: HttpRequest) -> HttpResponse:
    """Say what came."""
    body = json.dumps(dict(request.POST.lists()), ensure_ascii=False)
    return HttpResponse(body, content_type="text/plain; charset=utf-8")


urlpatterns = [path("drafts/sent/", sent), path("drafts/<slug:name>/", page), *project_urls]
