"""A page that uploads by a script."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_POST


@login_required
def page(request: HttpRequest) -> HttpResponse:
    """Show the form."""
    return render(request, "plain/page.html")


@login_required
@require_POST
def upload(request: HttpRequest) -> HttpResponse:
    """Take the files, and say how much it was."""
    return JsonResponse({"bytes": sum(file.size or 0 for file in request.FILES.getlist("files"))})


urlpatterns = [
    path("", page, name="plain"),
    path("upload/", upload, name="plain-upload"),
]
