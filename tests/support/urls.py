"""The tests' site: pages of each kind that the rules tell apart."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from idlewatch.views.ops import healthz, metrics, readyz


def public(request: HttpRequest) -> HttpResponse:
    """Serve anyone."""
    return HttpResponse(f"public for {request.user.get_username() or 'anyone'}")


@login_required
def private(request: HttpRequest) -> HttpResponse:
    """Serve those who are signed in."""
    return HttpResponse(f"private for {request.user.get_username()}")


urlpatterns = [
    path("login/", LoginView.as_view(template_name="admin/login.html"), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("public/", public, name="public"),
    path("private/", private, name="private"),
    path("admin/", admin.site.urls),
    path("idlewatch/", include("idlewatch.urls")),
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics),
]
