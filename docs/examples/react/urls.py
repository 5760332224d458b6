"""A page that React renders."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path


@login_required
def page(request: HttpRequest) -> HttpResponse:
    """Show the page; the rest is the bundle's."""
    return render(request, "react/page.html")


urlpatterns = [path("", page, name="letter")]
