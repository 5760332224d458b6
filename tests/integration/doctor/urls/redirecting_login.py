"""The project's URLs, with a login view that sends users to the start page who are signed in."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import path

from project import views
from project.urls import urlpatterns as project_urls


def login(request: HttpRequest) -> HttpResponseBase:
    """Show the form to visitors alone, as many projects do."""
    return redirect("demo-elsewhere") if request.user.is_authenticated else views.LoginView.as_view()(request)


urlpatterns = [path("accounts/login/", login, name="login"), *project_urls]
