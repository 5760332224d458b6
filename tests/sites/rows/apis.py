"""Frameworks for the requests of scripts."""

from __future__ import annotations

from typing import Any

from django.urls import path

from tests.sites.row import Row
from tests.sites.views import plain_urls

FETCHING = """\
{% extends "sites/base.html" %}{% load static %}
{% block head %}<script type="module" src="{% static "sites/fetching.js" %}"></script>{% endblock %}
{% block content %}<h1>Private</h1><output data-url="/data/"></output>{% endblock %}
"""


def _rest_framework() -> list[Any]:
    from tests.sites.drf import Data

    return [path("data/", Data.as_view()), *plain_urls()]


def _ninja() -> list[Any]:
    from ninja import NinjaAPI
    from ninja.security import django_auth

    api = NinjaAPI(auth=django_auth)

    @api.api_operation(["GET", "POST"], "/data/")
    def data(request: Any) -> dict[str, str]:
        return {"user": str(request.user.pk)}

    return [path("ninja/", api.urls), *plain_urls()]


ROWS = [
    Row(
        "Django REST framework, a page that fetches",
        packages=("djangorestframework",),
        apps=("rest_framework",),
        settings={
            "REST_FRAMEWORK": {"DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"]},
        },
        urls=_rest_framework,
        api="/data/",
        templates={"sites/page.html": FETCHING},
        polls_itself=True,
    ),
    Row("django-ninja", packages=("django-ninja",), urls=_ninja, api="/ninja/data/"),
]
