"""The project's URLs, two views that do nothing, or ask for the user, and a page with the client or without it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.template import RequestContext, Template
from django.urls import include, path

from project.urls import urlpatterns as project_urls

PAGE = """{{% load idlewatch %}}<!DOCTYPE html>
<html lang="en"><head><title>A page</title></head><body><h1>A page</h1><p>With some text.</p>{tag}</body></html>
"""


def without_user(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"ok")


def with_user(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"ok" if request.user.is_authenticated else b"anonymous")


def page(request: HttpRequest, tag: str) -> HttpResponse:
    return HttpResponse(Template(PAGE.format(tag=tag)).render(RequestContext(request)))


urlpatterns = [
    path("bench/page/", page, {"tag": ""}),
    path("bench/page/client/", page, {"tag": "{% idlewatch %}"}),
    path("bench/without-user/", without_user),
    path("bench/with-user/", with_user),
    path("session_security/", include("session_security.urls")),
    *project_urls,
]
