"""The project's URLs, and two views that do nothing, or ask for the user."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from project.urls import urlpatterns as project_urls


def without_user(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"ok")


def with_user(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"ok" if request.user.is_authenticated else b"anonymous")


urlpatterns = [
    path("bench/without-user/", without_user),
    path("bench/with-user/", with_user),
    path("session_security/", include("session_security.urls")),
    *project_urls,
]
