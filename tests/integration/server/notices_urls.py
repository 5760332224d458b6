"""The addresses of the tests' site, and a view that sends a notice as an operator's would."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.urls import path

from idlewatch import notify
from idlewatch.http.request_state import state_of
from tests.integration.faults.urls import urlpatterns as site


def say(request: HttpRequest) -> JsonResponse:
    """Send a notice to the sessions that are named."""
    return JsonResponse(notify.send(request.GET.getlist("watch"), request.GET["text"])._asdict())


def whose(request: HttpRequest) -> JsonResponse:
    """Tell the watch of a session."""
    return JsonResponse({"watch_id": state_of(request).watch_id})


urlpatterns = [path("say/", say), path("whose/", whose), *site]
