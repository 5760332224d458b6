"""Pages on which to try activity, holds, the life of a tab and the network: each session has the limits it asks for."""

from __future__ import annotations

import io
import wave
from pathlib import Path

from csp.decorators import csp_replace, csp_update
from django.contrib.auth.decorators import login_not_required, login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import etag

ANYWHERE = {"frame-ancestors": ["'self'", "http://127.0.0.1:*"]}
STRICT = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "connect-src": ["'self'"],
    "form-action": ["'self'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
    "require-trusted-types-for": ["'script'"],
    "trusted-types": ["'none'"],
}
WORKER = Path(__file__).parent / "static" / "life" / "worker.js"
RATE = 8000
"""Samples of sound in a second."""


def limits(user: object, request: HttpRequest) -> dict[str, float | None]:
    """Return the limits in the visitor's cookie: `IDLE_TIMEOUT:5|WARN_BEFORE:2`."""
    given = request.COOKIES.get("limits", "")
    pairs = [each.split(":") for each in given.split("|") if each]
    return {key: None if value == "None" else float(value) for key, value in pairs}


@login_required
@xframe_options_exempt
@csp_replace(ANYWHERE)
@csp_update({"frame-src": ["'self'", "http://localhost:*"]})
def page(request: HttpRequest, name: str) -> HttpResponse:
    """Show one of the pages below `templates/life`, on its own or in a frame."""
    return render(request, f"life/{name}.html", {"elsewhere": f"http://localhost:{request.get_port()}/life/open/"})


@login_required
def kept(request: HttpRequest) -> HttpResponse:
    """Show a page that the browser may keep: its view says otherwise than `no-store`."""
    response = render(request, "life/light.html")
    response["Cache-Control"] = "private, no-cache"
    return response


@login_not_required
@etag(lambda _: "the same for all")
def tagged(request: HttpRequest) -> HttpResponse:
    """Show a page with a validator that knows nothing of users."""
    response = render(request, "life/light.html")
    response["Cache-Control"] = "no-cache"
    return response


@login_not_required
def worker(request: HttpRequest) -> HttpResponse:
    """Serve a service worker for the whole site."""
    headers = {"Service-Worker-Allowed": "/"}
    return HttpResponse(WORKER.read_text(), content_type="text/javascript", headers=headers)


@login_required
@csp_replace(STRICT)
def strict(request: HttpRequest) -> HttpResponse:
    """Show a page under the strictest policy."""
    return render(request, "life/strict.html")


@login_not_required
@xframe_options_exempt
@csp_replace(ANYWHERE)
def opened(request: HttpRequest) -> HttpResponse:
    """Show a page to anybody: it stands for another origin."""
    return HttpResponse("<!doctype html><title>Elsewhere</title><input><h1>Elsewhere</h1>")


@login_required
def silence(request: HttpRequest) -> HttpResponse:
    """Play a minute of silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, RATE, 0, "NONE", ""))
        sound.writeframes(bytes(2 * RATE * 60))
    return HttpResponse(file.getvalue(), content_type="audio/wav")


urlpatterns = [
    path("kept/", kept),
    path("etag/", tagged),
    path("worker.js", worker),
    path("strict/", strict),
    path("open/", opened),
    path("tone.wav", silence),
    path("<slug:name>/", page),
]
