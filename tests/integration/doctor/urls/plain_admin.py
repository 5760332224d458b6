"""The project's URLs, with a login page of the admin that is rendered without Django's templates and responses."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

from project.urls import urlpatterns as project_urls

PAGE = """<!doctype html><html lang="en"><head><title>Log in</title></head><body>{}</body></html>"""


def login(_request: HttpRequest) -> HttpResponse:
    """Return a page that is long enough to be compressed."""
    return HttpResponse(PAGE.format("<p>An account with rights is needed.</p>" * 20))


urlpatterns = [path("admin/login/", login), *project_urls]
