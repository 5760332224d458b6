"""What a site consists of: a page with the client, what its scripts ask for, and Django's own way in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import include, path


@login_required
def page(request: HttpRequest) -> HttpResponse:
    return render(request, "sites/page.html")


def public_page(request: HttpRequest) -> HttpResponse:
    """Show the page to visitors too."""
    return render(request, "sites/page.html")


@login_required
def answer(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"user": str(request.user.pk)})


def site_page(view: Callable[..., Any] = page) -> Any:
    """Return the address of the page."""
    return path("", view, name="home")


def plain_urls() -> list[Any]:
    """Return the page, and the sign-in of `django.contrib.auth.urls`."""
    return [site_page(), path("accounts/", include("django.contrib.auth.urls"))]
