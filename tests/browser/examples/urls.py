"""The project's addresses, and those of the examples."""

from __future__ import annotations

from django.urls import include, path

from project.urls import urlpatterns as project_urls

NAMES = ("plain", "htmx", "react")

urlpatterns = [*(path(f"{name}/", include(f"docs.examples.{name}.urls")) for name in NAMES), *project_urls]
