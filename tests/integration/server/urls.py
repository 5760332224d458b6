"""The project's addresses, a way in without a form, a page that takes its time, and messages as an operator's."""

from __future__ import annotations

import time

from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.urls import path

from idlewatch import notify
from idlewatch.http.request_state import state_of
from project.urls import urlpatterns as project_urls

QUICK = {"IDLE_TIMEOUT": 2, "WARN_BEFORE": 1, "HEARTBEAT": 0.25}


def limits(user: User, request: HttpRequest) -> dict[str, object]:
    """Return limits of seconds for those who are to see the end."""
    return QUICK if user.username.startswith("quick") else {}


def enter(request: HttpRequest, name: str) -> HttpResponseBase:
    """Sign a user in; who is called operator may watch."""
    rights = dict.fromkeys(("is_staff", "is_superuser"), name == "operator")
    user, _ = User.objects.get_or_create(username=name, defaults=rights)
    login(request, user)
    return redirect("demo")


@login_required
def slow(request: HttpRequest) -> HttpResponse:
    """Keep a thread busy."""
    time.sleep(1.5)
    return HttpResponse("done")


def notify_sessions(request: HttpRequest) -> JsonResponse:
    """Send a message to the sessions that are named."""
    return JsonResponse(notify.send(request.GET.getlist("watch"), request.GET["text"])._asdict())


def watch_id(request: HttpRequest) -> JsonResponse:
    """Return the watch id of a session."""
    return JsonResponse({"watch_id": state_of(request).watch_id})


urlpatterns = [
    path("enter/<slug:name>/", enter),
    path("notify/", notify_sessions),
    path("watch-id/", watch_id),
    path("slow/", slow),
    *project_urls,
]
