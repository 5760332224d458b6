"""The views of the simulated site. Each answers with the session it served, for the simulation to compare."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth import get_user_model, login, logout, update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template import engines
from django.urls import include, path

from idlewatch.decorators import passive
from idlewatch.monitor.django_sessions import WATCH_KEY
from tests.simulation.threads import pause

PAGE = engines["django"].from_string("<html><head>{% load idlewatch %}{% idlewatch %}</head></html>")


def served(request: HttpRequest, page: str = "") -> HttpResponse:
    """Answer, for `ServedMiddleware` to say which session was served."""
    return HttpResponse(page, headers={"X-Served": ""})


class ServedMiddleware:
    """Says in a header which session was served, once idlewatch has followed it through the view."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if "X-Served" in response.headers:
            response.headers["X-Served"] = request.session.get(WATCH_KEY, "")
        return response


def sign_in(request: HttpRequest) -> HttpResponse:
    """Sign a user in, as a login view does once it has checked the password."""
    if request.method == "POST":
        user = get_user_model().objects.get(username=request.POST["user"])
        if not user.is_active:
            return HttpResponse("inactive", status=403)
        login(request, user)
        pause(float(request.POST.get("pause", 0)))
        if request.POST.get("fails"):
            raise ValueError("the view fails after the sign-in")
        return served(request)
    return HttpResponse("login")


def sign_out(request: HttpRequest) -> HttpResponse:
    """Sign the user out, and work on for a while."""
    logout(request)
    pause(float(request.POST.get("pause", 0)))
    return redirect("/login/")


@login_required
def page(request: HttpRequest) -> HttpResponse:
    """Show a page with the client."""
    return served(request, PAGE.render({}, request))


@login_required
def work(request: HttpRequest) -> HttpResponse:
    """Take a while."""
    pause(float(request.POST.get("pause", 0)))
    if request.POST.get("fails"):
        raise ValueError("the view fails")
    return served(request)


@login_required
def password(request: HttpRequest) -> HttpResponse:
    """Change the user's password, and keep this session."""
    user = request.user
    user.set_password(f"{user.password[-8:]}!")
    user.save(update_fields=["password"])
    update_session_auth_hash(request, user)
    pause(float(request.POST.get("pause", 0)))
    return served(request)


@passive
@login_required
def poll(request: HttpRequest) -> HttpResponse:
    """Answer a script that polls."""
    return served(request)


urlpatterns = [
    path("login/", sign_in),
    path("logout/", sign_out),
    path("page/", page),
    path("task/", work),
    path("password/", password),
    path("poll/", poll),
    path("idlewatch/", include("idlewatch.urls")),
]
