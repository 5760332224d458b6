"""Middleware that breaks a site."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse

OPEN = ("/idlewatch/", "/healthz", "/readyz")
View = Callable[[HttpRequest], HttpResponse]


def caching_pages(get_response: View) -> View:
    """Keep whole pages by their path, for all who ask later."""
    kept = dict[str, HttpResponse]()

    def answer(request: HttpRequest) -> HttpResponse:
        response = kept.get(request.path)
        if response is None:
            response = get_response(request)
            if (
                request.method == "GET"
                and response.status_code == 200
                and response.get("Content-Type", "").startswith("text/html")
            ):
                kept[request.path] = response
        return response

    return answer


def making_public(get_response: View) -> View:
    """Let every cache keep every page."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers["Cache-Control"] = "public, max-age=600"
        return response

    return answer


def asking_for_a_sign_in(get_response: View) -> View:
    """Send visitors to the login page, those of the login page too."""

    def answer(request: HttpRequest) -> HttpResponse:
        is_open = request.user.is_authenticated or request.path.startswith(OPEN)
        return get_response(request) if is_open else redirect_to_login(request.path)

    return answer
